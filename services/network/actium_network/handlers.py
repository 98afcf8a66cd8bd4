"""Which messages the service takes, and who handles each."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from actium_network.orders import Orders
from actium_network.reservations import Reservations
from actium_network.survey import Survey
from actium_shared.bus import Question
from actium_shared.commands.network import (
    FindNetworkObjects,
    FindSubnet,
    ReleaseVip,
    ReserveVip,
    SettlePorts,
    SettleRoutes,
)
from actium_shared.errors import PermanentError
from actium_shared.message import Order, Reply
from actium_shared.service import OrderHandler
from actium_shared.telemetry import correlation_id, span

log = logging.getLogger(__name__)


def orders(take: Orders) -> Mapping[type[Order], OrderHandler]:
    """Give the handler of each order."""
    return {
        ReleaseVip: take.take_release,
        SettlePorts: take.take_settlement,
        SettleRoutes: take.take_routes,
    }


def asks(reservations: Reservations, survey: Survey) -> Callable[[Question], Awaitable[Reply]]:
    """Give what answers every ask."""

    async def answer(question: Question) -> Reply:
        match question.command:
            case ReserveVip() as command:
                return await reservations.reserve(question, command)
            case FindSubnet() as command:
                return await reservations.find_subnet(command)
            case FindNetworkObjects() as command:
                return await survey.find_objects(command)
            case command:
                raise PermanentError(f"no handler for {command.TYPE}")

    async def within_request(question: Question) -> Reply:
        token = correlation_id.set(question.envelope.correlation_id)
        try:
            with span(question.command.TYPE, traceparent=question.envelope.traceparent):
                return await answer(question)
        finally:
            correlation_id.reset(token)

    return within_request
