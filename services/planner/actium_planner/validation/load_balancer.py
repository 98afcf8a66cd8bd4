"""Load balancers: which security groups fit their VIP and their children."""

from collections.abc import Iterable

from actium_planner.validation.refusals import invalid
from actium_shared.message import Rejected
from actium_shared.wishes import SRIOV, Listener, LoadBalancer


def validate(balancer: LoadBalancer, listeners: Iterable[Listener]) -> Rejected | None:
    """Give the refusal, or nothing when the load balancer may be so with these listeners."""
    if not balancer.vip_sg_ids:
        return None
    if balancer.vip_vnic_type == SRIOV:
        return invalid("vip_sg_ids cannot be used with a flavor that says sriov_vip.", field="vip_sg_ids")
    limited = min((listener.id for listener in listeners if listener.allowed_cidrs), default=None)
    if limited is None:
        return None
    detail = f"vip_sg_ids cannot be used while listener {limited} has allowed_cidrs."
    return invalid(detail, field="vip_sg_ids")
