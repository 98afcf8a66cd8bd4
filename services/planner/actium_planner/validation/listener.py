"""Listeners: one per layer-4 protocol and port, reachable from where they are allowed, with a default pool that fits."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Protocol

from actium_shared.ids import PoolId
from actium_shared.message import Reason, Rejected
from actium_shared.wishes import Listener, LoadBalancer, Pool

LAYER4 = {
    "HTTP": "TCP",
    "HTTPS": "TCP",
    "TCP": "TCP",
    "TERMINATED_HTTPS": "TCP",
    "PROMETHEUS": "TCP",
    "UDP": "UDP",
    "SCTP": "SCTP",
}
POOL_PROTOCOLS: Mapping[str, frozenset[str]] = {
    "TCP": frozenset({"HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP"}),
    "HTTP": frozenset({"HTTP", "PROXY", "PROXYV2"}),
    "HTTPS": frozenset({"HTTPS", "PROXY", "PROXYV2", "TCP"}),
    "TERMINATED_HTTPS": frozenset({"HTTP", "PROXY", "PROXYV2"}),
    "UDP": frozenset({"UDP"}),
    "SCTP": frozenset({"SCTP"}),
    "PROMETHEUS": frozenset(),
}
SUPPORTED = frozenset({"HTTP", "TCP"})
"""What the data plane carries so far."""


class HasPool(Protocol):
    @property
    def pool(self) -> Pool: ...


def validate(listener: Listener, others: Iterable[Listener], pools: Mapping[PoolId, HasPool]) -> Rejected | None:
    """Give the refusal, or nothing when the listener may stand beside the others."""
    if listener.protocol not in SUPPORTED:
        return Rejected(
            reason=Reason.UNSUPPORTED,
            detail=f"Listener protocol {listener.protocol} is not supported by this provider.",
            field="protocol",
        )
    for other in others:
        if _same_port(listener, other):
            return Rejected(
                reason=Reason.CONFLICT,
                detail=f"Another Listener on this Load Balancer is already using protocol {other.protocol} "
                f"and protocol_port {other.protocol_port}",
                field="protocol_port",
            )
    if listener.default_pool_id is None:
        return None
    held = pools.get(listener.default_pool_id)
    if held is None:
        return Rejected(reason=Reason.NOT_FOUND, detail=f"Pool {listener.default_pool_id} not found.")
    return validate_protocols(listener, held.pool)


def validate_ranges(listener: Listener, load_balancer: LoadBalancer) -> Rejected | None:
    """Give the refusal when a range that is allowed is of an IP family that no VIP has."""
    vips = (load_balancer.vip, *load_balancer.additional_vips)
    families = {ip_address(vip.address).version for vip in vips}
    for cidr in listener.allowed_cidrs:
        if ip_network(cidr).version not in families:
            return Rejected(
                reason=Reason.INVALID,
                detail=f"allowed_cidrs holds {cidr}, and no VIP of the load balancer is of that IP version.",
                field="allowed_cidrs",
            )
    return None


def validate_protocols(listener: Listener, pool: Pool) -> Rejected | None:
    """Give the refusal when the listener cannot send to such a pool."""
    if pool.protocol in POOL_PROTOCOLS[listener.protocol]:
        return None
    return Rejected(
        reason=Reason.INVALID,
        detail=f"The pool protocol '{pool.protocol}' is invalid while the listener protocol is '{listener.protocol}'.",
        field="protocol",
    )


def _same_port(one: Listener, other: Listener) -> bool:
    return one.protocol_port == other.protocol_port and LAYER4[one.protocol] == LAYER4[other.protocol]
