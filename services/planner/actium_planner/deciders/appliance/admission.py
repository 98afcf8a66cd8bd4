"""Whether an appliance takes a load balancer, which it says by its own event: the judge where several ask for one place. Pure."""

from collections.abc import Sequence

from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.decide import take_in
from actium_planner.deciders.appliance.state import ApplianceState
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import ApplianceId


def admit(
    appliance_id: ApplianceId, state: ApplianceState, wish: LoadBalancerState, context: Context, *, misfit: str | None
) -> Sequence[ApplianceEvent]:
    """Give what happens when a load balancer asks for a place here; nothing for one that does not fit with the others."""
    assert wish.load_balancer is not None
    lb_id = wish.load_balancer.id
    if misfit is not None or lb_id in state.load_balancers or state.retired:
        return []
    if state.id is None or not wish.deleting:
        return take_in(appliance_id, state, wish, context)
    # It is to go before anybody served it here: that waits for no round.
    admitted = events.LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=lb_id)
    return [admitted, events.LoadBalancerReleased(appliance_id=appliance_id, load_balancer_id=lb_id)]
