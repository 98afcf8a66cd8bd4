"""What another vendor's driver says of its objects: recorded where it is new, and what follows from it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation.refusals import conflict, invalid, missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Rejected
from actium_shared.proposals import DELETED, KINDS, OPERATING_STATUSES, PROVISIONING_STATUSES, ObjectStatus


def report(command: commands.ReportStatus, state: LoadBalancerState) -> Decision:
    """Take a report; while the driver is asked about a change, it may speak of what does not count yet."""
    if state.load_balancer is None and state.proposal is None:
        return missing("Load balancer", command.load_balancer_id)
    if state.load_balancer is not None and state.is_ours:
        return conflict(f"Load balancer {command.load_balancer_id} is no other vendor's: no driver may report on it.")
    for status in command.statuses:
        refusal = _malformed(status) or (_unknown(status, state) if state.proposal is None else None)
        if refusal is not None:
            return refusal
    return record(command.load_balancer_id, command.statuses, state)


def record(
    lb_id: LoadBalancerId, statuses: Iterable[ObjectStatus], state: LoadBalancerState
) -> list[LoadBalancerEvent]:
    """Give what a driver's words change."""
    fresh = tuple(news for status in statuses if (news := _news(status, state)) is not None)
    if not fresh:
        return []
    happened: list[LoadBalancerEvent] = []
    gone = any(status.kind == "loadbalancer" and status.provisioning_status == DELETED for status in fresh)
    ends = gone and state.load_balancer is not None and not state.withdrawn
    if ends and not state.deleting:  # it went by itself
        happened.append(
            events.LoadBalancerDeletionRequested(load_balancer_id=lb_id, generation=state.next_generation)
        )
    happened.append(events.StatusReported(load_balancer_id=lb_id, statuses=fresh))
    return [*happened, events.LoadBalancerWithdrawn(load_balancer_id=lb_id)] if ends else happened


def removals(status: ObjectStatus, state: LoadBalancerState) -> Iterator[LoadBalancerEvent]:
    """Give what the end of an object means for the wish, where it is still wished for; a pool is then nobody's default."""
    assert state.load_balancer is not None
    about = {"load_balancer_id": state.load_balancer.id, "generation": state.generation}
    for pool_id, held in state.pools.items():
        if status.id == pool_id:
            for listener in state.listeners.values():
                if listener.default_pool_id == pool_id:
                    yield events.ListenerUpdated(**about, listener=_without_pool(listener))
            yield events.PoolRemoved(**about, pool_id=pool_id)
        elif status.id in held.members:
            yield events.MemberRemoved(**about, pool_id=pool_id, member_id=status.id)
        elif held.health_monitor is not None and held.health_monitor.id == status.id:
            yield events.HealthMonitorRemoved(**about, pool_id=pool_id, health_monitor_id=status.id)
    for policy_id, policy in state.l7_policies.items():
        if status.id == policy_id:
            yield events.L7PolicyRemoved(**about, listener_id=policy.policy.listener_id, l7_policy_id=policy_id)
        elif status.id in policy.rules:
            yield events.L7RuleRemoved(**about, l7_policy_id=policy_id, l7_rule_id=status.id)
    if status.id in state.listeners:
        yield events.ListenerRemoved(**about, listener_id=status.id)
