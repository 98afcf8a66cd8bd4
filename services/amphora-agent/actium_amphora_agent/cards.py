"""
What has to be said to `ip` so that network cards are as a bundle wants them. Pure: what is wanted, what the kernel shows, lines.

The name that a card was plugged under is kept in the link's alias, so the kernel itself remembers it through any restart.
"""

import ipaddress
import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from actium_amphora_agent import routing
from actium_amphora_agent.desired import Interface
from actium_amphora_agent.routing import Way

SHOWN = ("link show", "address show", "route show table all")
"""The questions whose answers `parse_links` reads."""

LOOPBACK = "lo"
_ALIAS = "plugged-as:"
_OTHERS_ROUTES = ("protocol", "type")
"""The kernel's own, and those that routers advertise, say whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One card as the kernel shows it."""

    mac: str
    name: str
    mtu: int = 0
    is_up: bool = False
    plugged_as: str | None = None
    addresses: tuple[tuple[str, int], ...] = ()  # (address/prefix, metric)
    routes: tuple[tuple[Way, int], ...] = ()  # (way, metric)


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


def plan_addresses(
    wanted: Iterable[Interface], there: Sequence[Link], floating: AbstractSet[str] = frozenset()
) -> list[str]:
    """
    Lines for the traffic namespace: make each card that is there carry exactly what is wanted.

    What is `floating` until now is keepalived's to take away; it would think that somebody else did, and start afresh.
    """
    links = {link.mac: link for link in there}
    lines = []
    for interface in wanted:
        link = links.get(interface.mac, Link(mac=interface.mac, name=interface.name))
        lines += _rename(interface, link) + _addresses(interface, link, floating) + routing.plan_routes(interface)
    return lines


def plan_loopback(wanted: Iterable[Interface], there: Sequence[Link]) -> list[str]:
    """
    Lines for the traffic namespace: have `lo` carry exactly the VIPs that are on no card.

    Not a word about others: its own address, and what keepalived keeps there.
    """
    routed = {vip for interface in wanted for vip in interface.routed}
    present = {address for link in there if link.name == LOOPBACK for address, _ in link.addresses}
    ours = {address for address in present if not _is_the_machines(address)}
    return [f"address del {vip} dev {LOOPBACK}" for vip in sorted(ours - routed)] + [
        # Never preferred: nothing that the amphora says of itself comes from a VIP.
        f"address replace {vip} dev {LOOPBACK}" + (" nodad preferred_lft 0" if ":" in vip else "")
        for vip in sorted(routed - present)
    ]


def _is_the_machines(address: str) -> bool:
    host = ipaddress.ip_interface(address).ip
    return host.is_loopback or host.is_link_local


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


def plan_sweep(keep: Iterable[Interface], there: Sequence[Link]) -> list[str]:
    """Lines for the traffic namespace: forget ways that nobody names any more, on cards that stay."""
    links = {link.mac: link for link in there}
    return [
        f"route del {way.words(link.name)} metric {metric}"
        for card in keep
        if (link := links.get(card.mac))
        for way, metric in link.routes
        if way not in routing.ways(card) or (way.table is None and metric != card.metric)
    ]


def floating_on(cards: Iterable[Interface], there: Sequence[Link]) -> list[str]:
    """Lines for the traffic namespace: take away every VIP that keepalived gave to these cards."""
    links = {link.mac: link for link in there}
    return [
        f"address del {vip} dev {link.name}"
        for card in cards
        if (link := links.get(card.mac))
        for vip in card.floating
        if vip in {address for address, _ in link.addresses}
    ]


def _addresses(interface: Interface, link: Link, floating: AbstractSet[str]) -> list[str]:
    wanted = [(address, interface.metric) for address in interface.addresses]
    wanted += [(vip, 0) for vip in interface.vips if vip not in interface.addresses]
    names = {address for address, _ in wanted} | {*interface.floating, *floating}
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


def _is_link_local(address: str) -> bool:
    return ":" in address and ipaddress.ip_interface(address).ip.is_link_local


def parse_links(text: str) -> list[Link]:
    """`ip -json -batch` answers one array for each of the questions."""
    links, addresses, routes = _arrays(text)
    carried = {row["ifname"]: row.get("addr_info", []) for row in addresses}
    ways: dict[str, list[tuple[Way, int]]] = {}
    for row in routes:
        if "dev" in row and not any(name in row for name in _OTHERS_ROUTES):
            ways.setdefault(row["dev"], []).append((_way(row), row.get("metric", 0)))
    return [_link(row, carried.get(row["ifname"], []), ways.get(row["ifname"], [])) for row in links if _is_card(row)]


def _way(row: dict[str, Any]) -> Way:
    name = row["dst"]
    # An address alone is a range of one; `default` is said of both families.
    family = 6 if ":" in row.get("gateway", name) or row.get("pref") else 4
    whole = {4: "0.0.0.0/0", 6: "::/0"}[family]
    return Way(whole if name == "default" else str(ipaddress.ip_network(name)), row.get("gateway"), _table(row))


def _table(row: dict[str, Any]) -> int | None:
    return int(row["table"]) if str(row.get("table", "main")).isdigit() else None


def _link(row: dict[str, Any], carried: list[dict[str, Any]], ways: list[tuple[Way, int]]) -> Link:
    alias = row.get("ifalias", "")
    return Link(
        mac=row["address"],
        name=row["ifname"],
        mtu=row["mtu"],
        is_up="UP" in row["flags"],
        plugged_as=alias.removeprefix(_ALIAS) if alias.startswith(_ALIAS) else None,
        addresses=tuple((f"{info['local']}/{info['prefixlen']}", info.get("metric", 0)) for info in carried),
        routes=tuple(ways),
    )


def _is_card(row: dict[str, Any]) -> bool:
    return row.get("link_type") in ("ether", "loopback") and "address" in row


def _arrays(text: str) -> list[list[dict[str, Any]]]:
    decoder, at, arrays = json.JSONDecoder(), 0, []
    while at < len(text):
        array, at = decoder.raw_decode(text, at)
        arrays.append(array)
        while at < len(text) and text[at].isspace():
            at += 1
    return arrays + [[]] * (len(SHOWN) - len(arrays))


def leads_elsewhere(before: Sequence[Interface], after: Sequence[Interface]) -> bool:
    """Whether cards or ways may be left over: VIPs that come and go leave nothing."""
    return _ways(before) != _ways(after)


def _ways(cards: Sequence[Interface]) -> set[Interface]:
    return {replace(card, vips=(), floating=(), partners=(), routed=()) for card in cards}
