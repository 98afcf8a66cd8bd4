"""
Load balancers that another vendor's driver serves: what of them differs in state, and how it changes.

The driver reports object by object. What shall go is kept as leaving until the driver calls it gone, so that a deletion
that failed there can be asked for again.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from immutables import Map
from msgspec.structs import replace

from actium_planner.deciders.load_balancer.state import LoadBalancerState, Proposal
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import L7RuleId, ListenerId, MemberId, PoolId
from actium_shared.proposals import ACTIVE, DELETED, ERROR, ObjectStatus

V = TypeVar("V")
Removal = (
    events.ListenerRemoved
    | events.PoolRemoved
    | events.MemberRemoved
    | events.HealthMonitorRemoved
    | events.L7PolicyRemoved
    | events.L7RuleRemoved
)


def removed_id(event: LoadBalancerEvent) -> str | None:
    """Give the id of what the event removes."""
    match event:
        case events.ListenerRemoved(listener_id=gone) | events.PoolRemoved(pool_id=gone):
            return gone
        case events.MemberRemoved(member_id=gone) | events.HealthMonitorRemoved(health_monitor_id=gone):
            return gone
        case events.L7RuleRemoved(l7_rule_id=gone) | events.L7PolicyRemoved(l7_policy_id=gone):
            return gone
        case _:
            return None


def proposed(state: LoadBalancerState, event: events.ChangeProposed) -> LoadBalancerState:
    """Hold it; said again in other words, it is the same proposal still."""
    before = state.proposal
    proposal = Proposal(
        id=event.proposal_id,
        load_balancer_id=event.load_balancer_id,
        provider=event.provider,
        project_id=event.project_id,
        command=event.command,
        deadline_at=event.deadline_at,
        growth=event.growth,
        flavor_id=event.flavor_id,
        availability_zone=event.availability_zone,
        reported=() if before is None else before.reported,
    )
    return replace(state, proposal=proposal)


def settled(state: LoadBalancerState, event: events.ProposalSettled) -> LoadBalancerState:
    if event.proposal_id in state.lapsed:
        return replace(state, lapsed=state.lapsed.delete(event.proposal_id), settled=event.proposal_id)
    reported = replace(state.reported, due_at=event.report_by) if event.accepted else state.reported
    return replace(state, proposal=None, settled=event.proposal_id, reported=reported)


def lapsed(state: LoadBalancerState) -> LoadBalancerState:
    """Hold nothing any more for what was proposed, quota or lock; it goes on to be known until it is undone."""
    if state.proposal is None:
        return state
    over = replace(state.proposal, growth={}, reported=())
    return replace(state, proposal=None, lapsed=state.lapsed.set(over.id, over))


def failed(state: LoadBalancerState, generation: int) -> LoadBalancerState:
    """Wait for the driver no longer; whatever it says next is news, also what it said last."""
    reported = replace(state.reported, due_at=None, provisioning=Map())
    return replace(state, pending=False, failed=generation, reported=reported)


def wished(state: LoadBalancerState, event: LoadBalancerEvent) -> LoadBalancerState:
    """Have the driver's words of before count no more; remember what it is to take away."""
    leaving, gone = state.reported.leaving, removed_id(event)
    if gone is not None:
        leaving = leaving.set(gone, event)
    return replace(state, reported=replace(state.reported, provisioning=Map(), leaving=leaving))


def heard(state: LoadBalancerState, statuses: Sequence[ObjectStatus]) -> LoadBalancerState:
    """Give the state after a driver's words, less what they mean for the wish."""
    for status in statuses:
        state = _heard(state, status)
    return state


def kept(state: LoadBalancerState, statuses: Sequence[ObjectStatus]) -> LoadBalancerState:
    """Keep a driver's words until it is known what became of the change that it is asked about."""
    if state.proposal is None:
        return state
    return replace(state, proposal=replace(state.proposal, reported=(*state.proposal.reported, *statuses)))


def _heard(state: LoadBalancerState, status: ObjectStatus) -> LoadBalancerState:
    known = state.reported
    provisioning, operating, leaving = known.provisioning, known.operating, known.leaving
    if status.provisioning_status == DELETED:
        provisioning, operating = _without(provisioning, status.id), _without(operating, status.id)
        leaving = _without(leaving, status.id)
    elif status.provisioning_status is not None:
        provisioning = provisioning.set(status.id, status.provisioning_status)
    if status.operating_status is not None and status.provisioning_status != DELETED:
        operating = operating.set(status.id, status.operating_status)
    reported = replace(known, provisioning=provisioning, operating=operating, leaving=leaving)
    state = replace(state, reported=reported)
    if state.load_balancer is None or status.id != state.load_balancer.id:
        return state
    if status.provisioning_status == ACTIVE:
        quiet = replace(reported, due_at=None)
        return replace(state, pending=False, ended=state.generation, failed=0, reported=quiet)
    if status.provisioning_status != ERROR:
        return state
    return replace(state, pending=False, failed=state.generation, reported=replace(reported, due_at=None))


def _without(held: Map[str, V], key: str) -> Map[str, V]:
    return held.delete(key) if key in held else held


def removals(state: LoadBalancerState, object_id: str) -> Iterator[LoadBalancerEvent]:
    """Give what the end of an object means, where it is still wished for; a pool is then nobody's default any more."""
    removal = _removal(state, object_id)
    if removal is None:
        return
    for listener in state.listeners.values() if isinstance(removal, events.PoolRemoved) else ():
        if listener.default_pool_id == object_id:
            yield events.ListenerUpdated(
                load_balancer_id=removal.load_balancer_id,
                generation=removal.generation,
                listener=replace(listener, default_pool_id=None),
            )
    yield removal


def _removal(state: LoadBalancerState, object_id: str) -> Removal | None:
    assert state.load_balancer is not None
    lb_id, generation = state.load_balancer.id, state.generation
    if object_id in state.listeners:
        return events.ListenerRemoved(load_balancer_id=lb_id, generation=generation, listener_id=ListenerId(object_id))
    if object_id in state.pools:
        return events.PoolRemoved(load_balancer_id=lb_id, generation=generation, pool_id=PoolId(object_id))
    return _removal_in_a_pool(state, object_id) or _removal_of_l7(state, object_id)


def _removal_in_a_pool(state: LoadBalancerState, object_id: str) -> Removal | None:
    assert state.load_balancer is not None
    lb_id, generation = state.load_balancer.id, state.generation
    for pool_id, held in state.pools.items():
        if object_id in held.members:
            return events.MemberRemoved(
                load_balancer_id=lb_id, generation=generation, pool_id=pool_id, member_id=MemberId(object_id)
            )
        if held.health_monitor is not None and held.health_monitor.id == object_id:
            monitor_id = held.health_monitor.id
            return events.HealthMonitorRemoved(
                load_balancer_id=lb_id, generation=generation, pool_id=pool_id, health_monitor_id=monitor_id
            )
    return None


def _removal_of_l7(state: LoadBalancerState, object_id: str) -> Removal | None:
    assert state.load_balancer is not None
    lb_id, generation = state.load_balancer.id, state.generation
    for policy_id, held in state.l7_policies.items():
        if object_id == policy_id:
            return events.L7PolicyRemoved(
                load_balancer_id=lb_id,
                generation=generation,
                listener_id=held.policy.listener_id,
                l7_policy_id=policy_id,
            )
        if object_id in held.rules:
            return events.L7RuleRemoved(
                load_balancer_id=lb_id,
                generation=generation,
                l7_policy_id=policy_id,
                l7_rule_id=L7RuleId(object_id),
            )
    return None


def knows(state: LoadBalancerState, object_id: str) -> bool:
    """Say whether a driver may speak of this object."""
    own = state.load_balancer is not None and (
        state.load_balancer.id == object_id or _removal(state, object_id) is not None
    )
    return own or object_id in state.reported.leaving
