"""What is still to do for a load balancer itself: to give its addresses back when nothing carries it any more."""

from actium_planner.deciders.load_balancer import LoadBalancerState, deadlines
from actium_planner.plans import Plan
from actium_shared.commands.network import ReleaseVip


def plan(state: LoadBalancerState) -> Plan:
    """Give the orders that bring the load balancer to where its events say it shall be."""
    wake_at = min(deadlines(state), default=None)
    if state.load_balancer is None:
        return Plan(wake_at=wake_at)
    orders = (ReleaseVip(load_balancer_id=state.load_balancer.id),) if state.withdrawn else ()
    return Plan(orders=orders, wake_at=wake_at)
