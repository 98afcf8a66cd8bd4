"""
What travels about load balancers of other vendors' drivers, as values: a wish that is proposed to a driver before it
counts, and the statuses that a driver reports.
"""

from actium_shared.wishes import Value

KINDS = ("loadbalancer", "listener", "pool", "member", "healthmonitor", "l7policy", "l7rule")
ACTIVE, ERROR, DELETED = "ACTIVE", "ERROR", "DELETED"
PROVISIONING_STATUSES = (ACTIVE, ERROR, DELETED, "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE")
OPERATING_STATUSES = ("ONLINE", "OFFLINE", "DEGRADED", "ERROR", "DRAINING", "NO_MONITOR")


class PackedCommand(Value, frozen=True, kw_only=True):
    """A command inside another message: what it is, and its bytes; `codec` packs and unpacks it."""

    type: str
    version: int
    body: bytes


class ObjectStatus(Value, frozen=True, kw_only=True):
    """What a driver says of one object; what it leaves out stays as it was."""

    kind: str
    id: str
    provisioning_status: str | None = None
    operating_status: str | None = None
