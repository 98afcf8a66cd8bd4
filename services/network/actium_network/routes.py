"""Routes: for each appliance exactly those that the newest order names. Promised in the table, made, then told on the log."""

import asyncio
import logging
from functools import partial

import sqlalchemy as sa

from actium_network import routing
from actium_network.journal import Journal, routes_subject
from actium_network.orders import context_of
from actium_network.ports import NetworkDriver, Routing
from actium_network.read_model import queries, route_queries
from actium_network.read_model.queries import Kept
from actium_network.read_model.route_queries import StoredRouting
from actium_shared.commands.network import SettleRoutes
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.network import RoutesFailed, RoutesSettled, RoutingAddress
from actium_shared.message import CommandCause, Event
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

Addresses = tuple[RoutingAddress, ...]


class Routes:
    """Works on orders for routes. `allocating` is held wherever free addresses are chosen."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        driver: NetworkDriver,
        kept: Kept,
        allocating: asyncio.Lock,
        timeout_s: float,
    ) -> None:
        self._database = database
        self._journal = journal
        self._driver = driver
        self._kept = kept
        self._allocating = allocating
        self._timeout_s = timeout_s

    async def work(self, appliance_id: str) -> None:
        """Answer the order for this appliance's routes, if there is one that waits."""
        stored = await self._database.read(
            lambda connection: queries.stored_order(connection, SettleRoutes.TYPE, appliance_id)
        )
        if stored is not None and isinstance(stored.order, SettleRoutes):
            with context_of(stored):
                await self._settle(stored.order)

    async def restore(self) -> None:
        """Make again what the world lost (a reboot). What cannot be made is named in the logs: the others must be served."""
        stored = await self._database.read(route_queries.all_routings)
        standing = {(each.network_id, each.via): each for each in await self._driver.routings()}
        for each in (each for one in stored for each in routing.routings(one.addresses, one.vips)):
            if each.addresses and each != standing.get((each.network_id, each.via)):
                await self._restore(each)

    async def _restore(self, wish: Routing) -> None:
        try:
            await self._driver.route(wish, timeout_s=self._timeout_s)
        except (RetryableError, PermanentError) as exc:
            log.warning("routes cannot be made", extra={"via": wish.via, "error": str(exc)})

    async def _settle(self, order: SettleRoutes) -> None:
        addresses, before, expected = await self._promise(order)
        event = _failed(order, addresses) if isinstance(addresses, str) else await self._make(order, addresses, before)
        await self._journal.append(
            routes_subject(order.appliance_id), [event], cause=CommandCause(command=order), expected=expected
        )

    async def _promise(self, order: SettleRoutes) -> tuple[Addresses | str, StoredRouting, int]:
        def change(connection: sa.Connection) -> tuple[Addresses | str, StoredRouting, int]:
            known = route_queries.routing(connection, order.appliance_id)
            space = queries.space(connection, kept=self._kept, subnet_ids=[vip.subnet_id for vip in order.vips])
            chosen = routing.choose(order.appliance_id, order.vips, known.addresses, space)
            if chosen and not isinstance(chosen, str):
                # Until all is told, what was routed before may be so still, and what shall be may be so already.
                both = {vip.port_id: vip for vip in (*known.vips, *order.vips)}
                put = partial(route_queries.put_routing, revision=known.revision)
                put(connection, order.appliance_id, chosen, both.values())
            return chosen, known, queries.sequence(connection, routes_subject(order.appliance_id))

        async with self._allocating:
            return await self._database.write(change)

    async def _make(self, order: SettleRoutes, addresses: Addresses, before: StoredRouting) -> Event:
        told = {address.port_id: address for address in (*before.addresses, *addresses)}
        try:
            for wish in routing.routings(told.values(), order.vips):
                await self._driver.route(wish, timeout_s=self._timeout_s)
        except PermanentError as exc:
            log.warning("routes cannot be made", extra={"appliance_id": order.appliance_id, "error": str(exc)})
            return _failed(order, str(exc))
        return RoutesSettled(
            appliance_id=order.appliance_id,
            revision=order.revision,
            vips=order.vips,
            routing_addresses=addresses,
        )


def _failed(order: SettleRoutes, reason: str) -> RoutesFailed:
    return RoutesFailed(appliance_id=order.appliance_id, revision=order.revision, reason=reason)
