"""How events change what is true of one load balancer."""

from collections.abc import Iterable, Sequence

from immutables import Map
from msgspec.structs import replace

from actium_planner.deciders.load_balancer import elsewhere
from actium_planner.deciders.load_balancer.state import L7PolicyState, LoadBalancerState, PoolState
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import L7PolicyId, ListenerId, PoolId
from actium_shared.proposals import DELETED, ObjectStatus
from actium_shared.wishes import L7Policy

L7Event = (
    events.L7PolicyCreated
    | events.L7PolicyUpdated
    | events.L7PolicyRemoved
    | events.L7PoliciesOrdered
    | events.L7RuleCreated
    | events.L7RuleUpdated
    | events.L7RuleRemoved
)


def fold(state: LoadBalancerState, happened: Iterable[LoadBalancerEvent]) -> LoadBalancerState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(state: LoadBalancerState, event: LoadBalancerEvent) -> LoadBalancerState:
    """Give the state after one event."""
    match event:
        case events.LoadBalancerPlaced(appliance_id=appliance_id):
            return replace(state, appliance_id=appliance_id)
        case events.RoundBegun():
            return replace(state, pending=True)
        case events.RoundEnded(generation=generation):
            ended = max(state.ended, generation)
            return replace(state, pending=False, ended=ended, failed=0, history=_since(state.history, ended))
        case events.RoundFailed(generation=generation):
            return replace(state, pending=False, failed=generation)
        case events.LoadBalancerWithdrawn():
            return replace(state, withdrawn=True)
        case events.LoadBalancerDeletionDelayed(generation=generation):
            return replace(state, pending=False, failed=generation, delete_by=None)
        case events.LoadBalancerDeleted():
            return LoadBalancerState(generation=state.generation, deleted=True)
        case events.LoadBalancerSettled():
            settled = elsewhere.failed(state, state.generation)
            return replace(settled, delete_by=None)
        case events.LoadBalancerDrilled():
            return state
        case _:
            return _evolve_elsewhere(state, event)


def _evolve_elsewhere(state: LoadBalancerState, event: LoadBalancerEvent) -> LoadBalancerState:
    match event:
        case events.ChangeProposed():
            return elsewhere.proposed(state, event)
        case events.ProposalSettled():
            return elsewhere.settled(state, event)
        case events.ProposalLapsed():
            return elsewhere.lapsed(state)
        case events.ProviderFailed(generation=generation):
            return elsewhere.failed(state, generation)
        case events.StatusReported(statuses=statuses):
            return _evolve_reported(state, statuses)
        case events.ReportKept(statuses=statuses):
            return elsewhere.kept(state, statuses)
        case _ if elsewhere.removed_id(event) in state.reported.leaving:  # asked for again
            state = replace(state, generation=getattr(event, "generation", state.generation))
        case _:
            state = _evolve_wish(state, event)
    state = replace(state, pending=True)
    return state if state.is_ours else elsewhere.wished(state, event)


def _evolve_reported(state: LoadBalancerState, statuses: Sequence[ObjectStatus]) -> LoadBalancerState:
    if state.load_balancer is not None:
        for status in statuses:
            if status.provisioning_status == DELETED:
                for removal in list(elsewhere.removals(state, status.id)):
                    state = _evolve_wish(state, removal)
    return elsewhere.heard(state, statuses)


def _evolve_wish(state: LoadBalancerState, event: LoadBalancerEvent) -> LoadBalancerState:
    generation = getattr(event, "generation", state.generation)
    if generation != state.generation:
        state = replace(state, history=_remembered(state))
    match event:
        case events.LoadBalancerCreated(load_balancer=value, appliance_id=meant_for):
            return replace(state, generation=generation, load_balancer=value, meant_for=meant_for)
        case events.LoadBalancerUpdated(load_balancer=value):
            return replace(state, generation=generation, load_balancer=value)
        case events.LoadBalancerDeletionRequested(deadline_at=deadline_at):
            return replace(state, generation=generation, deleting=True, delete_by=deadline_at)
        case events.LoadBalancerFailoverRequested():
            return replace(state, generation=generation)
        case events.ListenerCreated(listener=listener) | events.ListenerUpdated(listener=listener):
            return replace(state, generation=generation, listeners=state.listeners.set(listener.id, listener))
        case events.ListenerRemoved(listener_id=listener_id):
            return replace(_without_listener(state, listener_id), generation=generation)
        case events.PoolCreated(pool=pool):
            return replace(state, generation=generation, pools=state.pools.set(pool.id, PoolState(pool)))
        case events.PoolRemoved(pool_id=pool_id):
            return replace(state, generation=generation, pools=state.pools.delete(pool_id))
        case (
            events.L7PolicyCreated()
            | events.L7PolicyUpdated()
            | events.L7PolicyRemoved()
            | events.L7PoliciesOrdered()
            | events.L7RuleCreated()
            | events.L7RuleUpdated()
            | events.L7RuleRemoved()
        ):
            return replace(_evolve_l7(state, event), generation=generation)
        case _:
            return replace(state, generation=generation, pools=_evolve_pools(state.pools, event))


def _remembered(state: LoadBalancerState) -> Map[int, LoadBalancerState]:
    """Give the history with what is wished for now, as a newer wish comes; only our own amphorae fall back."""
    if state.load_balancer is None or not state.is_ours:
        return state.history
    return state.history.set(state.generation, replace(state, history=Map()))


def _since(history: Map[int, LoadBalancerState], ended: int) -> Map[int, LoadBalancerState]:
    return (
        Map({generation: state for generation, state in history.items() if generation >= ended}) if history else history
    )


def _evolve_pools(held: Map[PoolId, PoolState], event: LoadBalancerEvent) -> Map[PoolId, PoolState]:
    match event:
        case events.PoolUpdated(pool=pool):
            return held.set(pool.id, replace(held[pool.id], pool=pool))
        case (
            events.MemberCreated(pool_id=pool_id, member=member) | events.MemberUpdated(pool_id=pool_id, member=member)
        ):
            pool_state = held[pool_id]
            return held.set(pool_id, replace(pool_state, members=pool_state.members.set(member.id, member)))
        case events.MemberRemoved(pool_id=pool_id, member_id=member_id):
            pool_state = held[pool_id]
            return held.set(pool_id, replace(pool_state, members=pool_state.members.delete(member_id)))
        case (
            events.HealthMonitorCreated(pool_id=pool_id, health_monitor=monitor)
            | events.HealthMonitorUpdated(pool_id=pool_id, health_monitor=monitor)
        ):
            return held.set(pool_id, replace(held[pool_id], health_monitor=monitor))
        case events.HealthMonitorRemoved(pool_id=pool_id):
            return held.set(pool_id, replace(held[pool_id], health_monitor=None))
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")


def _without_listener(state: LoadBalancerState, listener_id: ListenerId) -> LoadBalancerState:
    policies = state.l7_policies
    for policy_id in state.l7_order.get(listener_id, ()):
        policies = policies.delete(policy_id)
    order = state.l7_order.delete(listener_id) if listener_id in state.l7_order else state.l7_order
    return replace(state, listeners=state.listeners.delete(listener_id), l7_policies=policies, l7_order=order)


def _evolve_l7(state: LoadBalancerState, event: L7Event) -> LoadBalancerState:
    match event:
        case events.L7PolicyCreated(l7_policy=policy):
            return _with_policy(state, L7PolicyState(policy))
        case events.L7PolicyUpdated(l7_policy=policy):
            return _with_policy(state, replace(state.l7_policies[policy.id], policy=policy))
        case events.L7PolicyRemoved(listener_id=listener_id, l7_policy_id=policy_id):
            order = _without(state.l7_order[listener_id], policy_id)
            policies = state.l7_policies.delete(policy_id)
            return replace(state, l7_policies=policies, l7_order=state.l7_order.set(listener_id, order))
        case events.L7PoliciesOrdered(listener_id=listener_id, l7_policy_ids=order):
            return replace(state, l7_order=state.l7_order.set(listener_id, order))
        case (
            events.L7RuleCreated(l7_policy_id=policy_id, l7_rule=rule)
            | events.L7RuleUpdated(l7_policy_id=policy_id, l7_rule=rule)
        ):
            held = state.l7_policies[policy_id]
            changed = replace(held, rules=held.rules.set(rule.id, rule))
        case events.L7RuleRemoved(l7_policy_id=policy_id, l7_rule_id=rule_id):
            held = state.l7_policies[policy_id]
            changed = replace(held, rules=held.rules.delete(rule_id))
    return replace(state, l7_policies=state.l7_policies.set(policy_id, changed))


def _with_policy(state: LoadBalancerState, held: L7PolicyState) -> LoadBalancerState:
    policy = held.policy
    order = placed(state.l7_order.get(policy.listener_id, ()), policy)
    return replace(
        state,
        l7_policies=state.l7_policies.set(policy.id, held),
        l7_order=state.l7_order.set(policy.listener_id, order),
    )


def placed(order: tuple[L7PolicyId, ...], policy: L7Policy) -> tuple[L7PolicyId, ...]:
    """Give the order with the policy at its position, and the others around it as they were."""
    others = _without(order, policy.id)
    before = policy.position - 1
    return (*others[:before], policy.id, *others[before:])


def _without(order: tuple[L7PolicyId, ...], policy_id: L7PolicyId) -> tuple[L7PolicyId, ...]:
    return tuple(each for each in order if each != policy_id)
