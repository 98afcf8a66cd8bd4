"""Pools: what the data plane carries, and whether a listener can take one as its default."""

from actium_planner.validation.listener import validate_protocols
from actium_shared.message import Reason, Rejected
from actium_shared.wishes import Listener, Pool

SUPPORTED = frozenset({"HTTP", "TCP"})
ALGORITHMS = frozenset({"ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP"})


def validate(pool: Pool) -> Rejected | None:
    """Give the refusal, or nothing when such a pool can be had."""
    if pool.protocol not in SUPPORTED:
        return _unsupported("protocol", pool.protocol)
    if pool.lb_algorithm not in ALGORITHMS:
        return _unsupported("lb_algorithm", pool.lb_algorithm)
    return None


def validate_as_default(pool: Pool, listener: Listener) -> Rejected | None:
    """Give the refusal, or nothing when the pool may become the listener's default."""
    if listener.default_pool_id is not None:
        return Rejected(
            reason=Reason.CONFLICT,
            detail=f"Listener {listener.id} already has a default pool.",
            field="listener_id",
        )
    return validate_protocols(listener, pool)


def _unsupported(field: str, value: str) -> Rejected:
    detail = f"Pool {field} {value} is not supported by this provider."
    return Rejected(reason=Reason.UNSUPPORTED, detail=detail, field=field)
