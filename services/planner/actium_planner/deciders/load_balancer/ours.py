"""What a load balancer of ours may become: what a wish makes true is held against our data plane's limits."""

from collections.abc import Sequence

from actium_planner.deciders.load_balancer.evolve import fold
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import data_plane
from actium_planner.validation.refusals import Refusals
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.message import Rejected


def beyond_the_data_plane(happened: Sequence[LoadBalancerEvent], state: LoadBalancerState) -> Rejected | None:
    """Give the refusal of the first thing that our data plane could not do, whether it is new or changed."""
    after = fold(state, happened)
    return next((refusal for event in happened for refusal in _refusals(event, after)), None)


def _refusals(event: LoadBalancerEvent, after: LoadBalancerState) -> Refusals:
    match event:
        case events.LoadBalancerCreated() | events.LoadBalancerUpdated():
            yield from data_plane.of_load_balancer(event.load_balancer)
        case events.ListenerCreated() | events.ListenerUpdated():
            yield from data_plane.of_listener(event.listener)
            if event.listener.default_pool_id is not None:
                yield from data_plane.of_default_pool(after.pools[event.listener.default_pool_id].pool, event.listener)
        case events.PoolCreated() | events.PoolUpdated():
            yield from data_plane.of_pool(event.pool)
            for listener in after.listeners.values():
                if listener.default_pool_id == event.pool.id:
                    yield from data_plane.of_default_pool(event.pool, listener)
        case events.MemberCreated() | events.MemberUpdated():
            assert after.load_balancer is not None
            yield from data_plane.of_member(event.member, after.pools[event.pool_id].pool, after.load_balancer)
        case events.HealthMonitorCreated() | events.HealthMonitorUpdated():
            yield from data_plane.of_health_monitor(event.health_monitor)
        case events.L7PolicyCreated() | events.L7PolicyUpdated():
            yield from data_plane.of_l7_policy(after.listeners[event.l7_policy.listener_id])
        case events.L7RuleCreated() | events.L7RuleUpdated():
            yield from data_plane.of_l7_rule(event.l7_rule)
