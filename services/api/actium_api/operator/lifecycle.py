"""What operators have done to single load balancers: settled, and drills recorded. The planner decides."""

import msgspec
from starlette.requests import Request

from actium_api.asks import Asks
from actium_api.faults import Fault
from actium_api.operator.errors import OperatorError
from actium_api.operator.operators import good_reason, operator_of, posted
from actium_shared.commands.planner import LoadBalancerCommand, RecordDrill, SettleLoadBalancer
from actium_shared.ids import LoadBalancerId


class Settlement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a load balancer shall wait no longer, for those who read the log."""

    reason: str


class Drill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a drill has measured; see `LoadBalancerDrilled`."""

    kind: str
    gap_ms: float
    probes: int
    failed: int
    interval_ms: float


async def settle(request: Request) -> None:
    """Have what is in flight for a load balancer called failed."""
    reason = good_reason((await posted(request, Settlement)).reason)
    await _decide(request, SettleLoadBalancer(load_balancer_id=_id(request), reason=reason))


async def record_drill(request: Request) -> None:
    """Put on the log what was measured."""
    drill = await posted(request, Drill)
    await _decide(request, RecordDrill(load_balancer_id=_id(request), **msgspec.structs.asdict(drill)))


async def _decide(request: Request, command: LoadBalancerCommand) -> None:
    asks: Asks = request.app.state.asks
    try:
        await asks.decide(command, caller=operator_of(request))
    except Fault as exc:
        raise OperatorError(exc.status, exc.message) from exc


def _id(request: Request) -> LoadBalancerId:
    return LoadBalancerId(str(request.path_params["load_balancer_id"]))
