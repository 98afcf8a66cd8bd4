"""Which appliance carries a load balancer. Pure. One appliance each, until flavors say otherwise."""

from actium_shared.ids import ApplianceId, LoadBalancerId, derived_id


def place(load_balancer_id: LoadBalancerId) -> ApplianceId:
    """Give the appliance that shall admit the load balancer; always the same for the same one."""
    return ApplianceId(derived_id("appliance", load_balancer_id))
