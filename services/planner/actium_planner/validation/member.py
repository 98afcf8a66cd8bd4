"""Members: unique by address and port within their pool, and never an address that is reserved."""

from collections.abc import Iterable

from actium_shared.message import Reason, Rejected
from actium_shared.wishes import Member

RESERVED_ADDRESSES = frozenset({"169.254.169.254"})
"""The metadata service: a member there would let a tenant read the amphora's own metadata."""


def validate(member: Member, others: Iterable[Member]) -> Rejected | None:
    """Give the refusal, or nothing when the member may join the others."""
    refusal = validate_address(member)
    if refusal is not None:
        return refusal
    for other in others:
        if (other.address, other.protocol_port) == (member.address, member.protocol_port):
            return Rejected(
                reason=Reason.CONFLICT,
                detail=f"Another member on this pool is already using ip {member.address} "
                f"on protocol_port {member.protocol_port}",
            )
    return None


def validate_address(member: Member) -> Rejected | None:
    """Give the refusal when the address is reserved."""
    if member.address not in RESERVED_ADDRESSES:
        return None
    detail = f"Member address {member.address} is reserved and cannot be used."
    return Rejected(reason=Reason.INVALID, detail=detail, field="address")
