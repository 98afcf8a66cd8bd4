"""
Network cards: from the management namespace, where they are plugged, to the traffic namespace and back.

The plan is pure: what is wanted, what the kernel shows, hence which lines for `ip -batch`. The name that a card was plugged
under is kept in the link's alias, so the kernel itself remembers it through any restart.
"""

import asyncio
import ipaddress
import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actium_amphora_agent import neighbours, routing
from actium_amphora_agent.desired import Interface
from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.logs import fields
from actium_amphora_agent.processes import run
from actium_amphora_agent.traffic import Traffic

log = logging.getLogger(__name__)

PLUG_DEADLINE_S = 1.0
"""A card may be plugged a moment after the bundle that names it."""

_POLL_S = 0.02
_IP_DEADLINE_S = 5.0
_ALIAS = "plugged-as:"
_SYSCTLS = (
    *("ipv4/ip_nonlocal_bind=1", "ipv6/ip_nonlocal_bind=1", "ipv4/tcp_tw_reuse=1", "ipv4/ping_group_range=0 0"),
    *(f"ipv4/conf/{which}/rp_filter=0" for which in ("all", "default")),
    *(f"ipv4/conf/{which}/send_redirects=0" for which in ("all", "default")),
    *(f"ipv4/conf/{which}/arp_ignore=1" for which in ("all", "default")),
    *(f"ipv4/conf/{which}/arp_announce=2" for which in ("all", "default")),
    *(f"ipv6/conf/{which}/{name}" for which in ("all", "default") for name in ("accept_dad=0", "accept_ra=0")),
    "ipv4/ip_local_port_range=1025 65535",
)
"""
Set once: a card that comes later takes over the defaults. All ports from 1025, since each member connection needs one.

Whether packets are forwarded is not among them: it is on while UDP is balanced, also while an agent is started anew.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One card as the kernel shows it."""

    mac: str
    name: str
    mtu: int = 0
    is_up: bool = False
    plugged_as: str | None = None
    addresses: tuple[tuple[str, int], ...] = ()  # (address/prefix, metric)
    gateways: tuple[tuple[str, int], ...] = ()  # (address, metric)


def plan_moves(wanted: Iterable[Interface], there: Sequence[Link], here: Sequence[Link], namespace: str) -> list[str]:
    """Lines for the management namespace: send the cards over that are not there yet."""
    arrived = {link.mac for link in there}
    plugged = {link.mac: link.name for link in here}
    lines = []
    for interface in wanted:
        if interface.mac not in arrived and (name := plugged.get(interface.mac)):
            lines.append(f"link set dev {name} alias {_ALIAS}{name}")
            lines.append(f"link set dev {name} netns {namespace} name {interface.name}")
    return lines


def plan_addresses(wanted: Iterable[Interface], there: Sequence[Link]) -> list[str]:
    """Lines for the traffic namespace: make each card that is there carry exactly what is wanted."""
    links = {link.mac: link for link in there}
    lines = []
    for interface in wanted:
        link = links.get(interface.mac, Link(mac=interface.mac, name=interface.name))
        lines += _rename(interface, link) + _addresses(interface, link) + _gateways(interface, link)
        lines += routing.plan_routes(interface)
    return lines


def plan_name_clashes(wanted: Sequence[Interface], there: Sequence[Link]) -> list[str]:
    """A card that is about to leave gives up its name at once where another needs it."""
    macs, names = {interface.mac for interface in wanted}, {interface.name: interface.mac for interface in wanted}
    return [
        line
        for index, link in enumerate(there)
        if names.get(link.name, link.mac) != link.mac
        for line in (f"link set dev {link.name} down", f"link set dev {link.name} name leaving{index}")
        + ((f"link set dev leaving{index} up",) if link.mac not in macs else ())
    ]


def plan_returns(keep: Iterable[Interface], there: Sequence[Link], process: int) -> list[str]:
    """Lines for the traffic namespace: give cards back that nobody names any more; the kernel drops their addresses."""
    kept = {interface.mac for interface in keep}
    return [
        f"link set dev {link.name} netns {process} name {link.plugged_as}"
        for link in there
        if link.mac not in kept and link.plugged_as
    ]


def _rename(interface: Interface, link: Link) -> list[str]:
    lines = []
    if link.name != interface.name:
        lines = [f"link set dev {link.name} down", f"link set dev {link.name} name {interface.name}"]
    if lines or not link.is_up or link.mtu != interface.mtu:
        lines.append(f"link set dev {interface.name} mtu {interface.mtu} up")
    return lines


def _addresses(interface: Interface, link: Link) -> list[str]:
    wanted = [(address, interface.metric) for address in interface.addresses]
    wanted += [(vip, 0) for vip in interface.vips if vip not in interface.addresses]
    names = {address for address, _ in wanted}
    surplus = [address for address, _ in link.addresses if address not in names and not _is_link_local(address)]
    lines = [f"address del {address} dev {interface.name}" for address in surplus]
    for address, metric in wanted:
        if (address, metric) not in link.addresses:
            # The metric goes on the connected route too, so an unbound socket prefers the VIP network where ranges overlap.
            extra = f" metric {metric}" if metric else ""
            extra += " nodad" if ":" in address else ""
            # Never preferred: what the amphora says of itself must not come from a VIP, which moves away one day.
            extra += " preferred_lft 0" if ":" in address and address in interface.vips else ""
            lines.append(f"address replace {address} dev {interface.name}{extra}")
    return lines


def _gateways(interface: Interface, link: Link) -> list[str]:
    wanted = [(gateway, interface.metric) for gateway in routing.default_gateways(interface)]
    lines = [
        f"route del default via {gateway} dev {interface.name} metric {metric}"
        for gateway, metric in link.gateways
        if (gateway, metric) not in wanted
    ]
    # Always repeated: a card that was down or changed its address has lost its routes by now.
    return lines + [
        f"route replace default via {gateway} dev {interface.name} metric {metric} onlink" for gateway, metric in wanted
    ]


def _is_link_local(address: str) -> bool:
    return ":" in address and ipaddress.ip_interface(address).ip.is_link_local


def parse_links(text: str) -> list[Link]:
    """`ip -json -batch` answers one array a command: links, addresses, routes of IPv4, routes of IPv6."""
    links, addresses, *routes = _arrays(text)
    carried = {row["ifname"]: row.get("addr_info", []) for row in addresses}
    gateways: dict[str, list[tuple[str, int]]] = {}
    for route in (route for rows in routes for route in rows):
        if route.get("dst") == "default" and "gateway" in route and "dev" in route:
            gateways.setdefault(route["dev"], []).append((route["gateway"], route.get("metric", 0)))
    return [
        _link(row, carried.get(row["ifname"], []), gateways.get(row["ifname"], [])) for row in links if _is_card(row)
    ]


def _link(row: dict[str, Any], carried: list[dict[str, Any]], gateways: list[tuple[str, int]]) -> Link:
    alias = row.get("ifalias", "")
    return Link(
        mac=row["address"],
        name=row["ifname"],
        mtu=row["mtu"],
        is_up="UP" in row["flags"],
        plugged_as=alias.removeprefix(_ALIAS) if alias.startswith(_ALIAS) else None,
        addresses=tuple((f"{info['local']}/{info['prefixlen']}", info.get("metric", 0)) for info in carried),
        gateways=tuple(gateways),
    )


def _is_card(row: dict[str, Any]) -> bool:
    return row.get("link_type") == "ether" and "address" in row


def _arrays(text: str) -> list[list[dict[str, Any]]]:
    decoder, at, arrays = json.JSONDecoder(), 0, []
    while at < len(text):
        array, at = decoder.raw_decode(text, at)
        arrays.append(array)
        while at < len(text) and text[at].isspace():
            at += 1
    return arrays + [[]] * (4 - len(arrays))


def _neighbour_settings(interface: Interface) -> Iterable[tuple[str, str]]:
    """
    Whether a neighbour is still there is asked after seconds, not half a minute: nothing else tells of a dead UDP member.

    Each card has these for itself, and takes over no default of the namespace's.
    """
    for family in ("ipv4", "ipv6"):
        yield f"{family}/neigh/{interface.name}/base_reachable_time_ms", "5000"
        yield f"{family}/neigh/{interface.name}/delay_first_probe_time", "1"


class Interfaces:
    def __init__(self, traffic_namespace: Path) -> None:
        self._path = traffic_namespace
        self._there = traffic_namespace.name
        self._traffic = Traffic(traffic_namespace)
        self._announcing: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        """The traffic namespace's own settings; harmless to repeat."""
        script = "\n".join(
            f"[ ! -e /proc/sys/net/{name} ] || echo '{value}' > /proc/sys/net/{name}"
            for name, _, value in (setting.partition("=") for setting in _SYSCTLS)
        )
        await self._there_run(["sh", "-e"], f"{script}\nip link set lo up\n")

    async def names(self) -> list[str]:
        return [link.name for link in await self._links(there=True) if link.plugged_as]

    async def plug(self, wanted: Sequence[Interface]) -> None:
        """
        Fetch the cards that are wanted and set them up; takes none away.

        Raises:
            Trouble: a card is not plugged in time, or the kernel refused a setting.
        """
        there = await self._links(there=True)
        await self._batch(plan_name_clashes(wanted, there), there=True)
        await self._fetch(wanted, there)
        there = await self._links(there=True)
        await self._batch(plan_addresses(wanted, there), there=True)
        self._traffic.set_kernel({name: value for card in wanted for name, value in _neighbour_settings(card)})
        await self._follow_rules(wanted, only_add=True)
        carried = {address for link in there for address, _ in link.addresses}
        self._announce([(card, vip.partition("/")[0]) for card in wanted for vip in card.vips if vip not in carried])

    async def hand_back(self, keep: Sequence[Interface]) -> None:
        await self._batch(plan_returns(keep, await self._links(there=True), os.getpid()), there=True)
        await self._follow_rules(keep, only_add=False)

    async def _follow_rules(self, wanted: Sequence[Interface], *, only_add: bool) -> None:
        """Which packets go by which routing table."""
        for family in ("-4", "-6"):
            shown = json.loads(await self._ip(["-json", family], ["rule show"], there=True) or "[]")
            if lines := routing.plan_rules(wanted, shown, family, only_add=only_add):
                await self._ip([family], lines, there=True)

    async def stop(self) -> None:
        for task in self._announcing:
            task.cancel()
        await asyncio.gather(*self._announcing, return_exceptions=True)

    async def _fetch(self, wanted: Sequence[Interface], there: Sequence[Link]) -> None:
        missing = {interface.mac for interface in wanted} - {link.mac for link in there}
        if not missing:
            return
        try:
            async with asyncio.timeout(PLUG_DEADLINE_S):
                here = await self._links(there=False)
                while missing - {link.mac for link in here}:
                    await asyncio.sleep(_POLL_S)
                    here = await self._links(there=False)
        except TimeoutError as exc:
            raise Trouble(f"interfaces: no card {', '.join(sorted(missing))} within {PLUG_DEADLINE_S} s") from exc
        await self._batch(plan_moves(wanted, there, here, self._there), there=False)

    def _announce(self, vips: Sequence[tuple[Interface, str]]) -> None:
        """Tell the neighbours of a new VIP; nobody waits for it, the first announcement leaves at once."""
        for card, vip in vips:
            task = asyncio.create_task(self._advertise(card, vip) if ":" in vip else self._arping(card.name, vip))
            self._announcing.add(task)
            task.add_done_callback(self._announcing.discard)

    async def _arping(self, name: str, vip: str) -> None:
        # Its exit code tells whether somebody answered, which nobody should.
        command = ["arping", "-q", "-U", "-c", "3", "-I", name, vip]
        await run(["nsenter", f"--net={self._path}", *command], deadline_s=_IP_DEADLINE_S)

    async def _advertise(self, card: Interface, vip: str) -> None:
        # The kernel announces no address that was given without a search for duplicates.
        for _ in range(3):
            try:
                neighbours.advertise(self._traffic, card, vip)
            except (OSError, Trouble) as exc:
                log.warning("VIP not announced", extra=fields(vip=vip, reason=str(exc)))
            await asyncio.sleep(1)

    async def _links(self, *, there: bool) -> list[Link]:
        commands = ["link show", "address show", "route show default", "route show ::/0"]
        return parse_links(await self._ip(["-json"], commands, there=there))

    async def _batch(self, lines: Sequence[str], *, there: bool) -> None:
        if lines:
            await self._ip([], lines, there=there)

    async def _ip(self, options: Sequence[str], lines: Sequence[str], *, there: bool) -> str:
        namespace = ["-n", self._there] if there else []
        stdin = ("\n".join(lines) + "\n").encode()
        finished = await run(["ip", *namespace, *options, "-batch", "-"], deadline_s=_IP_DEADLINE_S, stdin=stdin)
        if finished.code != 0:
            raise Trouble(f"interfaces: ip refused: {finished.output[-1000:]} (of: {'; '.join(lines)})")
        return finished.output

    async def _there_run(self, argv: Sequence[str], stdin: str) -> None:
        finished = await run(["nsenter", f"--net={self._path}", *argv], deadline_s=_IP_DEADLINE_S, stdin=stdin.encode())
        if finished.code != 0:
            raise Trouble(f"interfaces: cannot prepare the traffic namespace: {finished.output[-1000:]}")
