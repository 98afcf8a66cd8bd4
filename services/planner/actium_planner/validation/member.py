"""Members: unique by address and port within their pool, and never at an address that is reserved."""

from collections.abc import Iterable

from actium_planner.validation.addresses import parsed, unmapped
from actium_planner.validation.grammar import PORTS, within
from actium_planner.validation.refusals import Refusals, conflict, invalid
from actium_shared.message import Rejected
from actium_shared.wishes import SRIOV, LoadBalancer, Member

RESERVED_ADDRESSES = frozenset({"169.254.169.254"})
"""The metadata service: a member there would let a tenant read the amphora's own metadata."""

WEIGHTS = (0, 256)


def validate(member: Member, balancer: LoadBalancer, *, others: Iterable[Member]) -> Rejected | None:
    """Give the refusal, or nothing when the member may join the others."""
    refusal = validate_alone(member, balancer)
    if refusal is not None:
        return refusal
    for other in others:
        if (other.address, other.protocol_port) == (member.address, member.protocol_port):
            return conflict(
                f"Another member on this pool is already using ip {member.address} "
                f"on protocol_port {member.protocol_port}"
            )
    return None


def validate_alone(member: Member, balancer: LoadBalancer) -> Rejected | None:
    """Give the refusal that does not depend on the pool's other members."""
    return next(_refusals(member, balancer), None)


def _refusals(member: Member, balancer: LoadBalancer) -> Refusals:
    yield from _address("address", member.address)
    if member.monitor_address is not None:
        yield from _address("monitor_address", member.monitor_address)
    yield from within("protocol_port", member.protocol_port, *PORTS)
    yield from within("monitor_port", member.monitor_port, *PORTS)
    yield from within("weight", member.weight, *WEIGHTS)
    if member.vnic_type == SRIOV and balancer.flavor.get("allow_member_sriov") is not True:
        detail = "request_sriov needs a load balancer whose flavor says allow_member_sriov; leave it out here."
        yield invalid(detail, field="request_sriov")


def _address(name: str, text: str) -> Refusals:
    address = parsed(text)
    if address is None:
        yield invalid(f"Member {name} {text!r} is not an IP address.", field=name)
    elif str(unmapped(address)) in RESERVED_ADDRESSES:
        yield invalid(f"Member {name} {text} is reserved and cannot be used.", field=name)
