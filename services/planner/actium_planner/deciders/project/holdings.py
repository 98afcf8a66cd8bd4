"""How much a load balancer is of what quotas count."""

from collections.abc import Mapping

from actium_planner.deciders.load_balancer import LoadBalancerState

Holdings = Mapping[str, int]
"""How many, by resource."""


def holdings(state: LoadBalancerState) -> Holdings:
    """Give what the load balancer and its children count; it counts until nothing of it exists any more."""
    if state.load_balancer is None:
        return {}
    pools = state.pools.values()
    return {
        "loadbalancer": 1,
        "listener": len(state.listeners),
        "pool": len(state.pools),
        "member": sum(len(pool.members) for pool in pools),
        "healthmonitor": sum(pool.health_monitor is not None for pool in pools),
        "l7policy": len(state.l7_policies),
        "l7rule": sum(len(policy.rules) for policy in state.l7_policies.values()),
    }


def growth(before: LoadBalancerState, after: LoadBalancerState) -> Holdings:
    """Give by how much the load balancer grows; what shrinks is negative."""
    had = holdings(before)
    return {resource: count - had.get(resource, 0) for resource, count in holdings(after).items()}
