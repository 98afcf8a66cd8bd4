"""Is a tenant's wish allowed, and what happens then: what holds for all wishes, before and after each decides."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import structs

from actium_planner.deciders.load_balancer import children, drills, load_balancers, proposals, reports, settling
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.ours import beyond_the_data_plane
from actium_planner.deciders.load_balancer.quiet import without_a_round
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.deciders.load_balancer.strict import refuse_while_busy
from actium_planner.validation.refusals import invalid, missing
from actium_shared.commands import planner as commands
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.message import Reason, Rejected
from actium_shared.provider_options import is_ours


def decide(
    command: commands.LoadBalancerCommand, state: LoadBalancerState, now: datetime, *, strict: bool = False
) -> Decision:
    """
    Give what happens to the load balancer on a tenant's wish, or why nothing may.

    A wish for a load balancer that another vendor's driver serves comes as a proposal.
    `strict`: answer as upstream does, which takes no change while a load balancer is anything but ACTIVE.
    """
    match command:
        case commands.Propose():
            wish = proposals.unpacked(command)
            if isinstance(wish, Rejected):
                return wish
            return proposals.propose(command, wish, state, now, decide=_decide_elsewhere)
        case commands.SettleProposal():
            return proposals.settle(command, state, now, decide=_decide_elsewhere)
        case commands.ReportStatus():
            return reports.report(command, state)
        case commands.SettleLoadBalancer():
            return settling.settle(command, state, now)
        case commands.RecordDrill():
            return drills.record(command, state)
        case _:
            return _refuse_unproposed(command, state) or _decide_ours(command, state, now, strict=strict)


def _refuse_unproposed(command: commands.LoadBalancerCommand, state: LoadBalancerState) -> Rejected | None:
    balancer = state.load_balancer
    if balancer is None and isinstance(command, commands.CreateLoadBalancer) and not state.deleted:
        balancer = command.load_balancer
    if (state.proposal is not None or state.lapsed) and state.load_balancer is None:
        detail = f"Load balancer {command.load_balancer_id} is being created already, by a driver that has been asked."
        return Rejected(reason=Reason.IMMUTABLE, detail=detail)
    if balancer is None or is_ours(balancer.provider):
        return None
    return invalid(
        f"Provider '{balancer.provider}' serves load balancer {command.load_balancer_id}: its driver is to be asked"
        " first, by a proposal.",
        field="provider",
    )


def _decide_ours(
    command: commands.LoadBalancerCommand, state: LoadBalancerState, now: datetime, *, strict: bool
) -> Decision:
    decision = _decide(command, state, now)
    if isinstance(decision, Rejected) or not decision:
        return decision
    refusal = (refuse_while_busy(command, state) if strict else None) or beyond_the_data_plane(decision, state)
    return refusal or without_a_round(decision, state)


def _decide_elsewhere(command: commands.LoadBalancerCommand, state: LoadBalancerState, now: datetime) -> Decision:
    return _removed_again(command, state) or _decide(command, state, now)


def _removed_again(command: commands.LoadBalancerCommand, state: LoadBalancerState) -> Sequence[LoadBalancerEvent]:
    """Give the removal once more of what shall go already: its driver may have failed to take it away."""
    match command:
        case commands.DeleteListener(listener_id=gone) | commands.DeletePool(pool_id=gone):
            removal = state.reported.leaving.get(gone)
        case commands.DeleteMember(member_id=gone) | commands.DeleteHealthMonitor(health_monitor_id=gone):
            removal = state.reported.leaving.get(gone)
        case commands.DeleteL7Policy(l7_policy_id=gone) | commands.DeleteL7Rule(l7_rule_id=gone):
            removal = state.reported.leaving.get(gone)
        case _:
            removal = None
    if removal is None or state.deleting:
        return []
    changes: Mapping[str, int] = {"generation": state.next_generation}
    return [structs.replace(removal, **changes)]


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
    if isinstance(command, commands.FailOverLoadBalancer):
        return load_balancers.fail_over(command, state)
    return children.decide(command, state)
