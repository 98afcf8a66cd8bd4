"""Orders: kept in the service's own table until the log answers them. What they set off: `reservations`, `settlements`, `routes`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import sqlalchemy as sa

from actium_network.read_model import queries, route_queries
from actium_network.workers import Workers
from actium_shared.commands.network import ReleaseVip, SettlePorts, SettleRoutes
from actium_shared.message import Order
from actium_shared.read_model import Database
from actium_shared.telemetry import correlation_id, span, traceparent

log = logging.getLogger(__name__)


class Orders:
    """Takes orders in and wakes whoever works on them."""

    def __init__(self, *, database: Database, releases: Workers, settlements: Workers, routes: Workers) -> None:
        self._database = database
        self._releases = releases
        self._settlements = settlements
        self._routes = routes

    async def take_release(self, order: Order) -> None:
        """Keep a `ReleaseVip`, unless the VIP was released for it already."""
        if not isinstance(order, ReleaseVip):
            raise TypeError(f"{order.TYPE} is not for the VIPs")

        def keep(connection: sa.Connection) -> bool:
            known = queries.reservation(connection, order.load_balancer_id)
            if is_new := known is None or known.state != "deleted":
                _store(connection, order, number=1)
            return is_new

        await self._keep(order, keep, self._releases)

    async def take_settlement(self, order: Order) -> None:
        """Keep a `SettlePorts`, unless the log says that its revision or a newer one is settled."""
        if not isinstance(order, SettlePorts):
            raise TypeError(f"{order.TYPE} is not for the ports")

        def keep(connection: sa.Connection) -> bool:
            if is_new := queries.settled_revision(connection, order.amphora_id) < order.revision:
                _store(connection, order, number=order.revision)
            return is_new

        await self._keep(order, keep, self._settlements)

    async def take_routes(self, order: Order) -> None:
        """Keep a `SettleRoutes`, unless the log answers its revision or a newer one."""
        if not isinstance(order, SettleRoutes):
            raise TypeError(f"{order.TYPE} is not for the routes")

        def keep(connection: sa.Connection) -> bool:
            if is_new := route_queries.routing(connection, order.appliance_id).revision < order.revision:
                _store(connection, order, number=order.revision)
            return is_new

        await self._keep(order, keep, self._routes)

    async def resume(self) -> None:
        """Wake the workers for what was left when the process ended."""
        for order_type, workers in (
            (ReleaseVip.TYPE, self._releases),
            (SettlePorts.TYPE, self._settlements),
            (SettleRoutes.TYPE, self._routes),
        ):
            workers.wake(await self._database.read(partial(queries.order_targets, order_type=order_type)))

    async def _keep(self, order: Order, keep: Callable[[sa.Connection], bool], workers: Workers) -> None:
        if await self._database.write(keep):
            workers.wake([order.target])
        else:
            log.info("order is answered already", extra={"order_id": order.order_id})


@contextmanager
def context_of(stored: queries.StoredOrder) -> Iterator[None]:
    """Run the block as part of the request that the order belongs to."""
    token = correlation_id.set(stored.correlation_id)
    try:
        with span(f"work {stored.order.TYPE}", traceparent=stored.traceparent):
            yield
    finally:
        correlation_id.reset(token)


def _store(connection: sa.Connection, order: Order, *, number: int) -> None:
    queries.store_order(
        connection, order, number=number, correlation_id=correlation_id.get(), traceparent=traceparent()
    )
