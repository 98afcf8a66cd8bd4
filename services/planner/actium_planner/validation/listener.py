"""Listeners: one per layer-4 protocol and port, with a default pool and settings that fit the protocol."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from actium_planner.validation import tls
from actium_planner.validation.addresses import families, parsed_network
from actium_planner.validation.grammar import PORTS, one_of, within
from actium_planner.validation.refusals import Refusals, conflict, invalid, missing
from actium_shared.ids import PoolId
from actium_shared.message import Rejected
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
TERMINATED = "TERMINATED_HTTPS"
WITH_CERTIFICATES = frozenset({TERMINATED, "PROMETHEUS"})
CERTIFICATES = (
    "default_tls_container_ref",
    "sni_container_refs",
    "client_ca_tls_container_ref",
    "client_crl_container_ref",
)
CLIENT_AUTHENTICATION = frozenset({"NONE", "OPTIONAL", "MANDATORY"})
HEADERS = frozenset(
    {"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP"}
)
TLS_HEADERS = frozenset(
    {
        "X-SSL-Client-Verify",
        "X-SSL-Client-Has-Cert",
        "X-SSL-Client-DN",
        "X-SSL-Client-CN",
        "X-SSL-Issuer",
        "X-SSL-Client-SHA1",
        "X-SSL-Client-Not-Before",
        "X-SSL-Client-Not-After",
    }
)
HEADERS_OF = {"HTTP": HEADERS, TERMINATED: HEADERS | TLS_HEADERS}
"""Those that read what they pass on."""

TIMEOUTS_MS = {
    "timeout_client_data": "timeout_client_data_ms",
    "timeout_member_connect": "timeout_member_connect_ms",
    "timeout_member_data": "timeout_member_data_ms",
    "timeout_tcp_inspect": "timeout_tcp_inspect_ms",
}
LONGEST_TIMEOUT_MS = 2_073_600_000
"""haproxy's own limit, 24 days."""


class HasPool(Protocol):
    @property
    def pool(self) -> Pool: ...


def validate(
    listener: Listener, balancer: LoadBalancer, *, others: Iterable[Listener], pools: Mapping[PoolId, HasPool]
) -> Rejected | None:
    """Give the refusal, or nothing when the load balancer may have this listener beside the others."""
    return next(_refusals(listener, balancer, others, pools), None)


def _refusals(
    listener: Listener, balancer: LoadBalancer, others: Iterable[Listener], pools: Mapping[PoolId, HasPool]
) -> Refusals:
    yield from one_of("protocol", listener.protocol, LAYER4)
    yield from _numbers(listener)
    yield from _default_pool(listener, pools)
    yield from _certificates(listener)
    yield from _headers(listener)
    yield from _strict_transport(listener)
    yield from _cidrs(listener, balancer)
    yield from _port_clash(listener, others)


def validate_pool(listener: Listener, pool: Pool, *, field: str = "protocol") -> Rejected | None:
    """Give the refusal when the listener cannot send to such a pool."""
    if pool.protocol in POOL_PROTOCOLS[listener.protocol]:
        return None
    return invalid(
        f"The pool protocol '{pool.protocol}' is invalid while the listener protocol is '{listener.protocol}'.",
        field=field,
    )


def _numbers(listener: Listener) -> Refusals:
    yield from within("protocol_port", listener.protocol_port, *PORTS)
    yield from within("connection_limit", listener.connection_limit, -1)
    for name, field in TIMEOUTS_MS.items():
        yield from within(name, getattr(listener, field), 0, LONGEST_TIMEOUT_MS)


def _default_pool(listener: Listener, pools: Mapping[PoolId, HasPool]) -> Refusals:
    if listener.default_pool_id is None:
        return
    held = pools.get(listener.default_pool_id)
    if held is None:
        yield missing("Pool", listener.default_pool_id)
        return
    refusal = validate_pool(listener, held.pool)
    if refusal is not None:
        yield refusal


def _certificates(listener: Listener) -> Refusals:
    if listener.protocol not in WITH_CERTIFICATES:
        for name in CERTIFICATES:
            if getattr(listener, name):
                yield invalid(f"A listener of protocol {listener.protocol} cannot have {name}.", field=name)
    served = bool(listener.default_tls_container_ref or listener.sni_container_refs)
    if listener.protocol == TERMINATED:
        if not served:
            detail = f"A listener of protocol {TERMINATED} needs default_tls_container_ref or sni_container_refs."
            yield invalid(detail, field="default_tls_container_ref")
        yield from tls.refusals(listener)
    yield from _client_authentication(listener, served=served)


def _client_authentication(listener: Listener, *, served: bool) -> Refusals:
    authority = listener.client_ca_tls_container_ref
    yield from one_of("client_authentication", listener.client_authentication, CLIENT_AUTHENTICATION)
    if listener.client_authentication != "NONE" and not authority:
        detail = f"client_authentication {listener.client_authentication} needs client_ca_tls_container_ref."
        yield invalid(detail, field="client_ca_tls_container_ref")
    if listener.client_crl_container_ref and not authority:
        detail = "client_crl_container_ref needs client_ca_tls_container_ref."
        yield invalid(detail, field="client_ca_tls_container_ref")
    if authority and not served:
        detail = "client_ca_tls_container_ref needs a certificate of the listener's own."
        yield invalid(detail, field="default_tls_container_ref")


def _headers(listener: Listener) -> Refusals:
    if not listener.insert_headers:
        return
    allowed = HEADERS_OF.get(listener.protocol)
    if allowed is None:
        yield invalid(f"A listener of protocol {listener.protocol} cannot insert headers.", field="insert_headers")
        return
    unknown = sorted(set(listener.insert_headers) - allowed)
    if unknown:
        detail = f"A listener of protocol {listener.protocol} cannot insert the header {unknown[0]!r}."
        yield invalid(detail, field="insert_headers")


def _strict_transport(listener: Listener) -> Refusals:
    if listener.hsts_max_age_s is None:
        for name in ("hsts_include_subdomains", "hsts_preload"):
            if getattr(listener, name):
                yield invalid(f"{name} needs hsts_max_age.", field="hsts_max_age")
    elif listener.protocol != TERMINATED:
        yield invalid(f"hsts_max_age is for listeners of protocol {TERMINATED}.", field="hsts_max_age")
    yield from within("hsts_max_age", listener.hsts_max_age_s, 0)


def _cidrs(listener: Listener, balancer: LoadBalancer) -> Refusals:
    if listener.allowed_cidrs and balancer.vip_sg_ids:
        detail = (
            "allowed_cidrs cannot be used on a load balancer with vip_sg_ids: its security groups say who may come."
        )
        yield invalid(detail, field="allowed_cidrs")
    known = families(balancer)
    for cidr in listener.allowed_cidrs:
        network = parsed_network(cidr)
        if network is None:
            yield invalid(f"allowed_cidrs: {cidr!r} is not a network in CIDR notation.", field="allowed_cidrs")
        elif network.version not in known:
            detail = f"allowed_cidrs: {cidr} is IPv{network.version}, and no address of the load balancer is."
            yield invalid(detail, field="allowed_cidrs")


def _port_clash(listener: Listener, others: Iterable[Listener]) -> Refusals:
    for other in others:
        if _same_port(listener, other):
            yield conflict(
                f"Another Listener on this Load Balancer is already using protocol {other.protocol} "
                f"and protocol_port {other.protocol_port}",
                field="protocol_port",
            )


def _same_port(one: Listener, other: Listener) -> bool:
    return one.protocol_port == other.protocol_port and LAYER4[one.protocol] == LAYER4[other.protocol]
