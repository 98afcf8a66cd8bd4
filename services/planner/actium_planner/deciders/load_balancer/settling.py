"""An operator's word that a load balancer waits no longer. What is at work for it goes on; what comes of that still counts."""

from datetime import datetime

from actium_planner.deciders.load_balancer import proposals
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.evolve import fold
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation.refusals import invalid, missing
from actium_shared.commands.planner import SettleLoadBalancer
from actium_shared.events.load_balancer import LoadBalancerEvent, LoadBalancerSettled
from actium_shared.message import Rejected

REASON_MOST = 1_000
"""It is shown wherever the load balancer's ERROR is."""


def settle(command: SettleLoadBalancer, state: LoadBalancerState, now: datetime) -> Decision:
    """
    End what is in flight as failed: a round, a deletion, another vendor's silence; nothing where nothing is.

    A deletion may be asked for again then, and gets a new deadline; a proposal ends as if its time were over.
    """
    refusal = _refuse_reason(command.reason)
    if refusal is not None:
        return refusal
    if state.load_balancer is None and state.proposal is None:
        return missing("Load balancer", command.load_balancer_id)
    happened: list[LoadBalancerEvent] = []
    if state.proposal is not None:
        happened += proposals.lapse(state, max(now, state.proposal.deadline_at))
    after = fold(state, happened)
    if after.load_balancer is None or not (happened or waits(after)):
        return happened
    return [*happened, LoadBalancerSettled(load_balancer_id=command.load_balancer_id, reason=command.reason)]


def waits(state: LoadBalancerState) -> bool:
    """Say whether an outcome is to come: of a round, also of one about to begin, of a deletion, of a report."""
    between = state.ended < state.generation != state.failed
    return state.pending or state.delete_by is not None or state.reported.due_at is not None or between


def _refuse_reason(reason: str) -> Rejected | None:
    if len(reason.strip()) > 0 and len(reason) <= REASON_MOST:
        return None
    return invalid(f"reason must say in 1 to {REASON_MOST} characters why it waits no longer.", field="reason")
