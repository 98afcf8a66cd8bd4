"""`/authority`: which certificate authority amphorae and the controller trust, and another one in its place. Compute does it."""

import msgspec
from starlette.requests import Request

from actium_api.asks import Asks
from actium_api.faults import Fault
from actium_api.operator import services
from actium_api.operator.errors import OperatorError
from actium_api.operator.operators import good_reason, operator_of, posted
from actium_shared.bus import Bus
from actium_shared.commands.compute import ReplaceAuthority

KEEPER = "compute"
FACTS = "authority_"


class Replacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why another authority shall be trusted, for those who read the log."""

    reason: str


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """
    How far a replacement is; `phase` is `settled` where none is under way. `edition` grows with each step.

    `waits_for` are the amphorae that have yet to take the step, the first of many.
    """

    edition: int
    phase: str
    waits_for: tuple[str, ...] = ()


async def shown(bus: Bus) -> Authority:
    """
    Give what compute says.

    Raises:
        OperatorError: it does not answer.
    """
    status = await services.status(bus, KEEPER, timeout_s=services.STATUS_TIMEOUT_S)
    told = {name.removeprefix(FACTS): fact for name, fact in status.facts.items() if name.startswith(FACTS)}
    if not told:
        raise OperatorError(503, f"{KEEPER}, which keeps the authority, {status.detail or 'says nothing of it'}")
    return msgspec.convert(told, Authority)


async def replace(request: Request) -> None:
    """Have a replacement begin; where one is under way, nothing changes."""
    reason = good_reason((await posted(request, Replacement)).reason)
    asks: Asks = request.app.state.asks
    try:
        await asks.replace_authority(ReplaceAuthority(reason=reason), caller=operator_of(request))
    except Fault as exc:
        raise OperatorError(exc.status, exc.message) from exc
