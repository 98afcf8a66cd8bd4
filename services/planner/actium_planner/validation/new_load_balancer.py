"""A new load balancer of ours, by whichever door it comes: whose it is, and whether its addresses are its own."""

from actium_planner.validation.refusals import Refusals, invalid
from actium_shared.events.network import VipReserved
from actium_shared.message import Rejected
from actium_shared.wishes import LoadBalancer

ID_MOST = 64
"""Longer ones fit into no read model."""


def refuse(balancer: LoadBalancer, reserved: VipReserved | None) -> Rejected | None:
    """Give the refusal, or nothing; `reserved` is what the network service keeps for the load balancer, if anything."""
    return next(_refusals(balancer, reserved), None)


def _refusals(balancer: LoadBalancer, reserved: VipReserved | None) -> Refusals:
    for field, value in (("id", balancer.id), ("project_id", balancer.project_id)):
        if not 0 < len(value) <= ID_MOST or not value.isprintable():
            yield invalid(f"{field} must have 1 to {ID_MOST} characters that can be printed.", field=field)
    if reserved is None:
        yield invalid(
            f"Nobody has reserved VIP {balancer.vip.address} for load balancer {balancer.id}: vip.reserve is to come first.",
            field="vip",
        )
    elif (balancer.vip, balancer.additional_vips) != (reserved.vip, reserved.additional_vips):
        yield invalid(
            f"The addresses are not those that are reserved for load balancer {balancer.id}: that is"
            f" {', '.join(vip.address for vip in (reserved.vip, *reserved.additional_vips))}.",
            field="vip",
        )
    elif balancer.project_id != reserved.project_id:
        yield invalid(f"The VIP of load balancer {balancer.id} is reserved for another project.", field="project_id")
