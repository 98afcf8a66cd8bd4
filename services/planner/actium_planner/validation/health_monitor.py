"""Health monitors: one per pool, of a type that fits it."""

from actium_shared.message import Reason, Rejected
from actium_shared.wishes import HealthMonitor, Pool

SUPPORTED = frozenset({"HTTP", "TCP"})
DATAGRAM_POOLS = frozenset({"UDP", "SCTP"})
DATAGRAM_TYPES = frozenset({"UDP-CONNECT", "SCTP", "TCP", "HTTP"})
DATAGRAM_ONLY_TYPES = frozenset({"UDP-CONNECT", "SCTP"})


def validate(monitor: HealthMonitor, pool: Pool, existing: HealthMonitor | None) -> Rejected | None:
    """Give the refusal, or nothing when the pool may be checked so."""
    datagrams = pool.protocol in DATAGRAM_POOLS
    if (datagrams and monitor.type not in DATAGRAM_TYPES) or (not datagrams and monitor.type in DATAGRAM_ONLY_TYPES):
        return Rejected(
            reason=Reason.INVALID,
            detail=f"Health monitors of type {monitor.type} cannot check a pool of protocol {pool.protocol}.",
            field="type",
        )
    if monitor.type not in SUPPORTED:
        detail = f"Health monitor type {monitor.type} is not supported by this provider."
        return Rejected(reason=Reason.UNSUPPORTED, detail=detail, field="type")
    if existing is not None:
        detail = f"Pool {pool.id} already has a health monitor."
        return Rejected(reason=Reason.CONFLICT, detail=detail, field="pool_id")
    return None
