"""Changes of words alone (names, descriptions, tags): no amphora has to know, so no round is run for them."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.wishes import Value

WORDS = frozenset({"name", "description", "tags"})


def without_a_round(happened: Sequence[LoadBalancerEvent], state: LoadBalancerState) -> Sequence[LoadBalancerEvent]:
    """
    Give the same events as a part of the newest wish, and as served, where only words change.

    While a round runs they join it. They are a wish like any other where the last one failed, as that is another try, and
    in the moment between two rounds, when ACTIVE does not mean that the newest wish is served.
    """
    between = not state.pending and state.ended < state.generation
    if state.failed or between or not all(_changes_words(event, state) for event in happened):
        return happened
    quiet: list[LoadBalancerEvent] = [_renumbered(event, state.generation) for event in happened]
    if state.pending:
        return quiet
    lb_id = happened[0].load_balancer_id
    return [*quiet, events.RoundEnded(load_balancer_id=lb_id, generation=state.generation)]


def _renumbered(event: LoadBalancerEvent, generation: int) -> LoadBalancerEvent:
    changes: Mapping[str, int] = {"generation": generation}
    return replace(event, **changes)


def _changes_words(event: LoadBalancerEvent, state: LoadBalancerState) -> bool:
    before, after = _values(event, state)
    if before is None or after is None:
        return False
    return all(getattr(before, name) == getattr(after, name) for name in after.__struct_fields__ if name not in WORDS)


def _values(event: LoadBalancerEvent, state: LoadBalancerState) -> tuple[Value | None, Value | None]:
    """Give what an update changes, before and after; nothing for what is no update."""
    match event:
        case events.LoadBalancerUpdated(load_balancer=changed):
            return state.load_balancer, changed
        case events.ListenerUpdated(listener=listener):
            return state.listeners[listener.id], listener
        case events.PoolUpdated(pool=pool):
            return state.pools[pool.id].pool, pool
        case events.MemberUpdated(pool_id=pool_id, member=member):
            return state.pools[pool_id].members[member.id], member
        case events.HealthMonitorUpdated(pool_id=pool_id, health_monitor=monitor):
            return state.pools[pool_id].health_monitor, monitor
        case events.L7PolicyUpdated(l7_policy=policy):
            return state.l7_policy(policy.id), policy
        case events.L7RuleUpdated(l7_policy_id=policy_id, l7_rule=rule):
            return state.l7_policies[policy_id].rules[rule.id], rule
        case _:
            return None, None
