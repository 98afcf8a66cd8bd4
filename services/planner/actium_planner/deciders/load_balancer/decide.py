"""Is a tenant's wish allowed, and what happens then: what holds for all wishes, before and after each decides."""

from datetime import datetime

from actium_planner.deciders.load_balancer import children, load_balancers
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.quiet import without_a_round
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.deciders.load_balancer.strict import refuse_while_busy
from actium_planner.validation.refusals import missing
from actium_shared.commands import planner as commands
from actium_shared.message import Reason, Rejected


def decide(
    command: commands.LoadBalancerCommand, state: LoadBalancerState, now: datetime, *, strict: bool = False
) -> Decision:
    """
    Give what happens to the load balancer on a tenant's wish, or why nothing may.

    `strict`: answer as upstream does, which takes no change while a load balancer is anything but ACTIVE.
    """
    decision = _decide(command, state, now)
    if isinstance(decision, Rejected) or not decision:
        return decision
    refusal = refuse_while_busy(command, state) if strict else None
    return refusal or without_a_round(decision, state)


def _decide(command: commands.LoadBalancerCommand, state: LoadBalancerState, now: datetime) -> Decision:
    if isinstance(command, commands.CreateLoadBalancer):
        return load_balancers.create(command, state)
    if state.load_balancer is None:
        return missing("Load balancer", command.load_balancer_id)
    if isinstance(command, commands.DeleteLoadBalancer):
        return load_balancers.delete(command, state, now)
    if state.deleting:
        return Rejected(
            reason=Reason.IMMUTABLE,
            detail=f"Load balancer {command.load_balancer_id} is being deleted and cannot be changed.",
        )
    if isinstance(command, commands.UpdateLoadBalancer):
        return load_balancers.update(command, state)
    return children.decide(command, state)
