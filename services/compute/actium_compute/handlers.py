"""Which orders compute takes: each is put into the table and its amphora's worker is woken. The work is done elsewhere."""

from collections.abc import Callable, Mapping
from functools import partial

from actium_compute.facts import Stored
from actium_compute.read_model import queries
from actium_shared.clock import Clock
from actium_shared.commands.compute import AmphoraOrder, BootAmphora, ConfigureAmphora, DeleteAmphora
from actium_shared.errors import PermanentError
from actium_shared.message import Order
from actium_shared.read_model import Database
from actium_shared.service import OrderHandler
from actium_shared.telemetry import correlation_id, traceparent

ORDERS: tuple[type[AmphoraOrder], ...] = (BootAmphora, ConfigureAmphora, DeleteAmphora)


def handlers(database: Database, wake: Callable[[str], None], clock: Clock) -> Mapping[type[Order], OrderHandler]:
    return dict.fromkeys(ORDERS, partial(take_order, database, wake, clock))


async def take_order(database: Database, wake: Callable[[str], None], clock: Clock, order: Order) -> None:
    """Keep the order unless it comes too late, and wake whoever works on it; an order that was kept before changes nothing."""
    if not isinstance(order, AmphoraOrder):
        raise PermanentError(f"{order.TYPE} is not an order for compute")
    stored = Stored(
        order=order, correlation_id=correlation_id.get(), traceparent=traceparent(), received_at=clock.now()
    )
    if await database.write(lambda connection: queries.put_order(connection, stored)):
        wake(order.amphora_id)
