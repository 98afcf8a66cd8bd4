"""How much a load balancer is of what quotas count."""

from collections.abc import Mapping

from actium_planner.deciders.load_balancer import LoadBalancerState

Holdings = Mapping[str, int]
"""How many, by resource."""


def holdings(state: LoadBalancerState) -> Holdings:
    """Give what the load balancer and its children count; it counts until nothing of it exists any more."""
    return state.holdings()


def growth(before: LoadBalancerState, after: LoadBalancerState) -> Holdings:
    """Give by how much the load balancer grows; what shrinks is negative."""
    had = holdings(before)
    return {resource: count - had.get(resource, 0) for resource, count in holdings(after).items()}
