"""From the wish to the model: which listener becomes which frontend; what haproxy cannot do is refused by name."""

from collections.abc import Iterator, Mapping

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.bundle import Logs
from actium_compute.amphora_drivers.haproxy import interfaces, l7, lines, peers, pools, tls, words
from actium_compute.amphora_drivers.haproxy.model import Backend, Configuration, Frontend, Policy, bind
from actium_compute.amphora_drivers.haproxy.served import Served, served
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SubnetId
from actium_shared.wishes import Listener

METRICS = "PROMETHEUS"
MODES = {"HTTP": "http", tls.TERMINATED: "http", METRICS: "http", "TCP": "tcp", "HTTPS": "tcp"}
"""HTTPS is passed through unread; whoever wants it read asks for TERMINATED_HTTPS."""

HEADERS = {
    "X-Forwarded-Port": "%[dst_port]",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-IP": "%[src]",
    "X-Client-IP": "%[src]",
    "X-Real-IP": "%[src]",
}
TLS_HEADERS = {
    "X-Forwarded-Proto": "https",
    "X-SSL-Client-Verify": "%[ssl_c_verify]",
    "X-SSL-Client-Has-Cert": "%[ssl_c_used]",
    "X-SSL-Client-DN": "%{+Q}[ssl_c_s_dn]",
    "X-SSL-Client-CN": "%{+Q}[ssl_c_s_dn(cn)]",
    "X-SSL-Issuer": "%{+Q}[ssl_c_i_dn]",
    "X-SSL-Client-SHA1": "%{+Q}[ssl_c_sha1,hex]",
    "X-SSL-Client-Not-Before": "%{+Q}[ssl_c_notbefore]",
    "X-SSL-Client-Not-After": "%{+Q}[ssl_c_notafter]",
}
FORWARDED_FOR = "X-Forwarded-For"


def translate(order: ConfigureAmphora, ports: Mapping[PortId, Port], logs: Logs | None = None) -> Configuration:
    """
    Say the wish in haproxy's terms.

    Raises:
        RenderError: it cannot be said.
    """
    plumbing = interfaces.plumb(order, ports)
    everything = [(one, _mode(one.listener)) for one in served(order)]
    backends = tuple(backend for one, mode in everything for backend in _backends(one, mode, plumbing.names))
    return Configuration(
        frontends=tuple(_frontend(one, mode, logs) for one, mode in everything),
        backends=backends,
        interfaces=plumbing.interfaces,
        peers=peers.peers(order, ports, backends),
    )


def _mode(listener: Listener) -> Word:
    return words.one_of(listener.protocol, MODES, f"listener {listener.id}: protocol")


def _backends(one: Served, mode: Word, subnets: Mapping[SubnetId, str]) -> Iterator[Backend]:
    place = pools.Place(mode, one.listener, subnets)
    return (pools.backend(wish, place) for wish in one.pools)


def _frontend(one: Served, mode: Word, logs: Logs | None) -> Frontend:
    listener, what = one.listener, f"listener {one.listener.id}"
    headers = _headers(listener, mode, what)
    return Frontend(
        name=words.identifier(listener.id, what),
        mode=mode,
        binds=_binds(one),
        tls=tls.listener_words(listener),
        connection_limit=listener.connection_limit if listener.connection_limit > 0 else None,
        timeout_client_ms=words.milliseconds(listener.timeout_client_data_ms),
        timeout_inspect_ms=listener.timeout_tcp_inspect_ms and words.milliseconds(listener.timeout_tcp_inspect_ms),
        allowed=tuple(words.network(cidr, f"{what}: allowed_cidrs") for cidr in listener.allowed_cidrs),
        forward_for=FORWARDED_FOR in headers,
        headers=tuple((name, value) for name, value in headers.items() if name != FORWARDED_FOR),
        transport_security=_transport_security(listener, what),
        policies=_policies(one, mode, what),
        by_source_port=any(wish.pool.lb_algorithm == "SOURCE_IP_PORT" for wish in one.pools),
        metrics=listener.protocol == METRICS,
        log_format=lines.log_format(one.wish.load_balancer, mode, logs),
        backend=pools.backend_name(one.default_pool.pool, listener) if one.default_pool else None,
    )


def _binds(one: Served) -> tuple[str, ...]:
    balancer = one.wish.load_balancer
    addresses = [words.address(vip.address, "VIP") for vip in (balancer.vip, *balancer.additional_vips)]
    return tuple(bind(address, one.listener.protocol_port) for address in addresses)


def _headers(listener: Listener, mode: Word, what: str) -> dict[str, str]:
    known = {FORWARDED_FOR: ""} | HEADERS | (TLS_HEADERS if tls.terminates(listener) else {})
    wanted = {name for name, value in listener.insert_headers.items() if str(value).lower() == "true"}
    if unknown := sorted(wanted - known.keys()):
        raise RenderError(f"{what}: insert_headers: {unknown[0][:80]!r} is not supported for {listener.protocol}")
    if wanted and mode != "http":
        raise RenderError(f"{what}: insert_headers: only HTTP has headers")
    return {name: value for name, value in known.items() if name in wanted}


def _transport_security(listener: Listener, what: str) -> Word | None:
    if listener.hsts_max_age_s is None:
        return None
    if not tls.terminates(listener):
        raise RenderError(f"{what}: hsts_max_age: only {tls.TERMINATED} can promise TLS")
    parts = [f"max-age={max(listener.hsts_max_age_s, 0)}"]
    parts += ["includeSubDomains"] if listener.hsts_include_subdomains else []
    parts += ["preload"] if listener.hsts_preload else []
    return words.quoted("; ".join(parts), f"{what}: hsts_max_age")


def _policies(one: Served, mode: Word, what: str) -> tuple[Policy, ...]:
    if one.policies and mode != "http":
        raise RenderError(f"{what}: l7policies: {one.listener.protocol} is not read, so no rule can match")
    return tuple(
        l7.policy(number, wish, pools.backend_name(pool.pool, one.listener) if pool else None)
        for number, (wish, pool) in enumerate(one.policies, 1)
    )
