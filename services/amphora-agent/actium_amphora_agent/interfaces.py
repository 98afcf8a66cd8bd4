"""
Network cards: from the management namespace, where they are plugged, to the traffic namespace and back; their VIPs, and who is told.

What has to be said to `ip` is found by `cards` and `routing`; here it is said.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from actium_amphora_agent import cards, neighbours, routing
from actium_amphora_agent.cards import Link
from actium_amphora_agent.desired import Interface
from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.logs import fields
from actium_amphora_agent.processes import Finished, run
from actium_amphora_agent.traffic import Traffic

log = logging.getLogger(__name__)

PLUG_DEADLINE_S = 1.0
"""A card may be plugged a moment after the bundle that names it."""

ANNOUNCE_AFTER_S = (0.0, 0.02, 0.2, 1.0, 2.0)
"""When an address is told of: at once, and again, as a card that was just plugged may lose the first words."""

CONFIRM_AFTER_S = ANNOUNCE_AFTER_S[1:]
"""
When VIPs that keepalived took are told of again. It says so itself, at once and after a second; but where two took them at the
same moment the last word may be the loser's, and a keepalived that reads its file anew forgets what it was still to say.
"""

_POLL_S = 0.02
_IP_DEADLINE_S = 5.0
_LISTING_BYTES = 1024 * 1024
_SYSCTLS = (
    *("ipv4/ip_nonlocal_bind=1", "ipv6/ip_nonlocal_bind=1", "ipv4/tcp_tw_reuse=1"),
    *(f"ipv4/conf/{which}/rp_filter=0" for which in ("all", "default")),
    *(f"ipv4/conf/{which}/send_redirects=0" for which in ("all", "default")),
    *(f"ipv4/conf/{which}/arp_ignore=1" for which in ("all", "default")),
    *(f"ipv4/conf/{which}/arp_announce=2" for which in ("all", "default")),
    *(f"ipv6/conf/{which}/{name}" for which in ("all", "default") for name in ("accept_dad=0", "accept_ra=0")),
    "ipv4/ip_local_port_range=1026 65535",
)
"""
Set once: a card that comes later takes over the defaults. All ports from 1026, since each member connection needs one; 1025
is haproxy's own.

Whether packets are forwarded is not among them: it is on while UDP is balanced, also while an agent is started anew.
"""


def _neighbour_settings(interface: Interface) -> Iterable[tuple[str, str]]:
    """
    Whether a neighbour is still there is asked after seconds, not half a minute: nothing else tells of a dead UDP member.

    Each card has these for itself, and takes over no default of the namespace's.
    """
    for family in ("ipv4", "ipv6"):
        yield f"{family}/neigh/{interface.name}/base_reachable_time_ms", "5000"
        yield f"{family}/neigh/{interface.name}/delay_first_probe_time", "1"


def _told_of(card: Interface) -> tuple[str, ...]:
    """
    VIPs, and to partners the card's own addresses.

    A partner that asked for us before we were there asks again only after a second. Till then no advert of its reaches us, and
    after three of those we would take the VIPs.
    """
    return (*card.vips, *card.addresses) if card.partners else card.vips


async def _at(times_s: Sequence[float]) -> AsyncIterator[None]:
    for after_s, before_s in zip(times_s, (0.0, *times_s), strict=False):
        await asyncio.sleep(after_s - before_s)
        yield


class Interfaces:
    def __init__(self, traffic_namespace: Path) -> None:
        self._path = traffic_namespace
        self._there = traffic_namespace.name
        self._traffic = Traffic(traffic_namespace)
        self._telling: dict[tuple[str, str], asyncio.Task[None]] = {}
        """By card and VIP; those that have told all stay, so that nothing is told twice."""
        self._confirming: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """The traffic namespace's own settings; harmless to repeat."""
        script = "\n".join(
            f"[ ! -e /proc/sys/net/{name} ] || echo '{value}' > /proc/sys/net/{name}"
            for name, _, value in (setting.partition("=") for setting in _SYSCTLS)
        )
        await self._there_run(["sh", "-e"], f"{script}\nip link set lo up\n")

    async def names(self) -> list[str]:
        return [link.name for link in await self._links(there=True) if link.plugged_as]

    async def plug(self, wanted: Sequence[Interface], before: Sequence[Interface]) -> None:
        """
        Fetch the cards that are wanted and set them up; takes none away. `before` are those in force.

        A VIP that is new is told of before anything else is done that may wait.

        Raises:
            Trouble: a card is not plugged in time, or the kernel refused a setting.
        """
        there = await self._arrived(wanted)
        floating = {vip for card in before for vip in card.floating}
        lines = cards.plan_addresses(wanted, there, floating) + cards.plan_loopback(wanted, there)
        await self._batch(lines, there=True)
        self._announce(wanted)
        self._traffic.set_kernel({name: value for card in wanted for name, value in _neighbour_settings(card)})
        await self._follow_rules(wanted, only_add=True)

    async def hand_back(self, keep: Sequence[Interface]) -> None:
        there = await self._links(there=True)
        lines = cards.plan_returns(keep, there, os.getpid()) + cards.plan_sweep(keep, there)
        await self._batch(lines + cards.plan_loopback(keep, there), there=True)
        await self._follow_rules(keep, only_add=False)

    async def drop_floating(self, wanted: Sequence[Interface]) -> None:
        """Take away what a keepalived that was killed has left behind: its partner has these addresses by now."""
        if lines := cards.floating_on(wanted, await self._links(there=True)):
            # One that it took away itself in the meantime is no reason to leave the others.
            await self._say_ip(["-force"], lines, there=True)
            if left := cards.floating_on(wanted, await self._links(there=True)):
                raise Trouble(f"interfaces: VIPs stay that nobody answers for: {'; '.join(left)}")

    def announce_again(self, wanted: Sequence[Interface]) -> None:
        """Tell of all VIPs, whether somebody did before or not."""
        self.hush()
        self._announce(wanted)

    def confirm(self, held: Sequence[Interface]) -> None:
        """Tell again, for a while, of the VIPs that keepalived has on these cards; none where it has let go of them."""
        if self._confirming:
            self._confirming.cancel()
        floats = any(card.floating for card in held)
        self._confirming = asyncio.create_task(self._confirm(held)) if floats else None

    def hush(self) -> None:
        """Tell of nothing any more."""
        self._announce(())
        self.confirm(())

    async def stop(self) -> None:
        telling = [*self._telling.values(), *([self._confirming] if self._confirming else [])]
        self.hush()
        await asyncio.gather(*telling, return_exceptions=True)

    async def _arrived(self, wanted: Sequence[Interface]) -> Sequence[Link]:
        """The links there, once all that are wanted are among them."""
        there = await self._links(there=True)
        clashes = cards.plan_name_clashes(wanted, there)
        await self._batch(clashes, there=True)
        fetched = await self._fetch(wanted, there)
        return await self._links(there=True) if clashes or fetched else there

    async def _follow_rules(self, wanted: Sequence[Interface], *, only_add: bool) -> None:
        """Which packets go by which routing table."""
        await asyncio.gather(*(self._follow_rules_of(family, wanted, only_add=only_add) for family in ("-4", "-6")))

    async def _follow_rules_of(self, family: str, wanted: Sequence[Interface], *, only_add: bool) -> None:
        shown = json.loads(await self._ip(["-json", family], ["rule show"], there=True) or "[]")
        if lines := routing.plan_rules(wanted, shown, family, only_add=only_add):
            await self._ip([family], lines, there=True)

    async def _fetch(self, wanted: Sequence[Interface], there: Sequence[Link]) -> bool:
        missing = {interface.mac for interface in wanted} - {link.mac for link in there}
        if not missing:
            return False
        try:
            async with asyncio.timeout(PLUG_DEADLINE_S):
                here = await self._links(there=False)
                while missing - {link.mac for link in here}:
                    await asyncio.sleep(_POLL_S)
                    here = await self._links(there=False)
        except TimeoutError as exc:
            raise Trouble(f"interfaces: no card {', '.join(sorted(missing))} within {PLUG_DEADLINE_S} s") from exc
        await self._batch(cards.plan_moves(wanted, there, here, self._there), there=False)
        return True

    def _announce(self, wanted: Sequence[Interface]) -> None:
        """Whom we told of does not outlive us: what an agent that was killed did not say is said by the next one."""
        held = {(card.mac, address): card for card in wanted for address in _told_of(card)}
        for key in self._telling.keys() - held.keys():
            self._telling.pop(key).cancel()
        for key in held.keys() - self._telling.keys():
            self._telling[key] = asyncio.create_task(self._tell(held[key], key[1].partition("/")[0]))

    async def _tell(self, card: Interface, address: str) -> None:
        async for _ in _at(ANNOUNCE_AFTER_S):
            self._tell_once(card, address)

    async def _confirm(self, held: Sequence[Interface]) -> None:
        async for _ in _at(CONFIRM_AFTER_S):
            for card in held:
                for vip in card.floating:
                    self._tell_once(card, vip.partition("/")[0])

    def _tell_once(self, card: Interface, address: str) -> None:
        try:
            neighbours.tell(self._traffic, card, address)
        except (OSError, Trouble) as exc:
            log.warning("address not announced", extra=fields(address=address, reason=str(exc)))

    async def _links(self, *, there: bool) -> list[Link]:
        return cards.parse_links(await self._ip(["-json"], cards.SHOWN, there=there))

    async def _batch(self, lines: Sequence[str], *, there: bool) -> None:
        if lines:
            await self._ip([], lines, there=there)

    async def _ip(self, options: Sequence[str], lines: Sequence[str], *, there: bool) -> str:
        finished = await self._say_ip(options, lines, there=there)
        if finished.code != 0:
            raise Trouble(f"interfaces: ip refused: {finished.output[-1000:]} (of: {'; '.join(lines)})")
        return finished.output

    async def _say_ip(self, options: Sequence[str], lines: Sequence[str], *, there: bool) -> Finished:
        namespace = ["-n", self._there] if there else []
        stdin = ("\n".join(lines) + "\n").encode()
        return await run(
            ["ip", *namespace, *options, "-batch", "-"],
            deadline_s=_IP_DEADLINE_S,
            stdin=stdin,
            most_bytes=_LISTING_BYTES,
        )

    async def _there_run(self, argv: Sequence[str], stdin: str) -> None:
        finished = await run(["nsenter", f"--net={self._path}", *argv], deadline_s=_IP_DEADLINE_S, stdin=stdin.encode())
        if finished.code != 0:
            raise Trouble(f"interfaces: cannot prepare the traffic namespace: {finished.output[-1000:]}")
