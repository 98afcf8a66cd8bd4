"""Ports and routes that nobody ordered: found in the world, removed, and told on the log. At start, and every so often."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

import sqlalchemy as sa

from actium_network import routing
from actium_network.journal import Journal, ports_subject, routes_subject
from actium_network.making import PortMaker
from actium_network.ports import Routing
from actium_network.read_model import queries, route_queries
from actium_shared.clock import Clock
from actium_shared.errors import PermanentError, RetryableError, VersionConflictError
from actium_shared.events.network import PortStrayRemoved, RoutesStrayRemoved
from actium_shared.ids import NetworkId, PortId
from actium_shared.message import Event, WorkCause
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

Way = tuple[str, str]
"""A network's id, and the address there that something is routed to."""


class Strays:
    """
    Removes what has been a stray for `grace_s`. What is being made is promised in the tables before, so it is none.

    `allocating` is held while something is removed: what is promised in that moment is made afterwards.
    """

    def __init__(
        self,
        *,
        maker: PortMaker,
        database: Database,
        journal: Journal,
        allocating: asyncio.Lock,
        clock: Clock,
        grace_s: float,
    ) -> None:
        self._maker = maker
        self._database = database
        self._journal = journal
        self._allocating = allocating
        self._clock = clock
        self._grace_s = grace_s
        self._seen: dict[str | Way, float] = {}

    async def look_forever(self, *, every_s: float) -> None:
        while True:
            await self._clock.sleep(every_s)
            try:
                await self.look()
            except (RetryableError, PermanentError, VersionConflictError) as exc:
                log.warning("not all strays removed", extra={"error": str(exc)})

    async def look(self, *, at_once: bool = False) -> None:
        """
        Remove what nobody ordered, where it has been there for long enough; or `at_once`, before anything is ordered.

        Raises:
            RetryableError, PermanentError, VersionConflictError: not all of it; the next look goes on.
        """
        found: set[str | Way] = {*await self._unknown_ports(), *await self._unknown_routes()}
        now = self._clock.monotonic()
        self._seen = {each: self._seen.get(each, now) for each in found}
        for each, since in sorted(self._seen.items(), key=str):
            if at_once or now - since >= self._grace_s:
                await (self._remove_port(each) if isinstance(each, str) else self._remove_routes(each))

    async def _unknown_ports(self) -> set[str]:
        known = await self._database.read(queries.all_ports)
        return await self._maker.standing() - {row.port_id for row in known}

    async def _unknown_routes(self) -> dict[Way, Routing]:
        """Give what is routed by no order, each with what may stay of it."""
        standing = {(each.network_id, each.via): each for each in await self._maker.driver.routings()}
        wanted = await self._database.read(_wanted)
        return {
            way: wanted.get(way, Routing(network_id=way[0], via=way[1], addresses=()))
            for way, each in standing.items()
            if set(each.addresses) - set(wanted[way].addresses if way in wanted else ())
        }

    async def _remove_port(self, port_id: str) -> None:
        async with self._allocating:
            if port_id not in await self._unknown_ports():
                return
            await self._maker.remove(port_id)
        log.warning("stray port removed", extra={"port_id": port_id})
        await self._tell(ports_subject(port_id), PortStrayRemoved(port_id=PortId(port_id)))

    async def _remove_routes(self, way: Way) -> None:
        async with self._allocating:
            before = {(each.network_id, each.via): each.addresses for each in await self._maker.driver.routings()}
            if (kept := (await self._unknown_routes()).get(way)) is None:
                return
            await self._maker.driver.route(kept, timeout_s=self._maker.timeout_s)
        gone = tuple(sorted(set(before.get(way, ())) - set(kept.addresses)))
        log.warning("stray routes removed", extra={"via": way[1], "addresses": gone})
        event = RoutesStrayRemoved(network_id=NetworkId(way[0]), via=way[1], addresses=gone)
        await self._tell(routes_subject(way[1]), event)

    async def _tell(self, subject: str, event: Event) -> None:
        expected = await self._database.read(partial(queries.sequence, subject=subject))
        await self._journal.append(subject, [event], cause=WorkCause(order_id="strays"), expected=expected)


def _wanted(connection: sa.Connection) -> Mapping[Way, Routing]:
    stored = route_queries.all_routings(connection)
    found = (each for one in stored for each in routing.routings(one.addresses, one.vips))
    return {(each.network_id, each.via): each for each in found}
