"""
Which messages compute takes. An order is put into the table and its amphora's worker is woken: the work is done elsewhere.

Asks are about secrets, the authority, and whether an amphora lives; they are answered at once.
"""

from collections.abc import Callable, Mapping
from functools import partial

from actium_compute.facts import Stored
from actium_compute.probing import Probing
from actium_compute.read_model import queries
from actium_compute.read_model.projections import OWN
from actium_compute.secret_keeping import SecretKeeper
from actium_compute.secret_use import Secrets
from actium_compute.succession import Succession
from actium_shared.bus import Answer, Question
from actium_shared.clock import Clock
from actium_shared.commands.compute import (
    AmphoraOrder,
    BootAmphora,
    CheckSecrets,
    ConfigureAmphora,
    DeleteAmphora,
    DeleteSecret,
    FenceAmphora,
    FindSealingKey,
    ProbeAmphora,
    PutSecret,
    ReplaceAuthority,
)
from actium_shared.errors import PermanentError
from actium_shared.message import Order, Position, Reply
from actium_shared.read_model import Database, Positions
from actium_shared.service import OrderHandler, within_request
from actium_shared.telemetry import correlation_id, traceparent

ORDERS: tuple[type[AmphoraOrder], ...] = (BootAmphora, ConfigureAmphora, FenceAmphora, DeleteAmphora)

Begin = Callable[[AmphoraOrder], None]
"""Has the work on an order begin that was kept."""


def handlers(database: Database, begin: Begin, clock: Clock) -> Mapping[type[Order], OrderHandler]:
    return dict.fromkeys(ORDERS, partial(take_order, database, begin, clock))


async def take_order(database: Database, begin: Begin, clock: Clock, order: Order) -> None:
    """Keep the order unless it comes too late, and have the work begin; an order that was kept before changes nothing."""
    if not isinstance(order, AmphoraOrder):
        raise PermanentError(f"{order.TYPE} is not an order for compute")
    stored = Stored(
        order=order, correlation_id=correlation_id.get(), traceparent=traceparent(), received_at=clock.now()
    )
    if await database.write(lambda connection: queries.put_order(connection, stored)):
        begin(order)


def asks(
    keeper: SecretKeeper, secrets: Secrets, probing: Probing, succession: Succession, positions: Positions
) -> Answer:
    """Give what answers every ask."""

    async def answer(question: Question) -> Reply:
        match question.command:
            case FindSealingKey():
                return keeper.sealing_key()
            case PutSecret() as command:
                return await keeper.put(question, command)
            case DeleteSecret() as command:
                return await keeper.delete(question, command)
            case CheckSecrets() as command:
                return await secrets.check(command, position=Position(OWN, positions.of(OWN)))
            case ProbeAmphora() as command:
                return await probing.probe(question, command)
            case ReplaceAuthority() as command:
                return await succession.begin(question, command)
            case command:
                raise PermanentError(f"no handler for {command.TYPE}")

    return within_request(answer)
