"""From the wish to the model: which listener, pool and member becomes what, and what haproxy cannot do is refused by name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import interfaces, words
from actium_compute.amphora_drivers.haproxy.model import (
    Backend,
    Check,
    Configuration,
    Frontend,
    HttpCheck,
    Persistence,
    Server,
    bind,
)
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SubnetId
from actium_shared.wishes import HealthMonitor, Listener, LoadBalancerWish, Member, Pool, PoolWish

MODES = {"HTTP": "http", "TCP": "tcp", "HTTPS": "tcp"}
"""HTTPS is passed through unread; whoever wants it read asks for TERMINATED_HTTPS."""

ALGORITHMS = {"ROUND_ROBIN": "roundrobin", "LEAST_CONNECTIONS": "leastconn", "SOURCE_IP": "source"}
PROXY_PROTOCOLS = {"PROXY": "send-proxy", "PROXYV2": "send-proxy-v2"}
CHECK_TYPES = {"TCP": "tcp", "HTTP": "http", "HTTPS": "http", "TLS-HELLO": "tcp"}
HTTP_METHODS = {name: name for name in ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")}
HTTP_VERSIONS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
HEADERS = {"X-Forwarded-Port": "%[dst_port]", "X-Forwarded-Proto": "http"}
FORWARDED_FOR = "X-Forwarded-For"
PERSISTENCES = {"SOURCE_IP": "source", "HTTP_COOKIE": "insert", "APP_COOKIE": "learn"}
COOKIE = Word("SRV")
MOST_WEIGHT = 256


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a pool is used: what its servers need to know from outside it."""

    mode: Word
    listener: Listener
    subnets: Mapping[SubnetId, str]


def translate(order: ConfigureAmphora, ports: Mapping[PortId, Port]) -> Configuration:
    """
    Say the wish in haproxy's terms.

    Raises:
        RenderError: it cannot be said.
    """
    if order.role != "STANDALONE":
        raise RenderError(f"role: {order.role!r} is not supported; known is STANDALONE")
    plumbing = interfaces.plumb(order, ports)
    pairs = [pair for wish in order.load_balancers for pair in _load_balancer(wish, plumbing.names)]
    return Configuration(
        frontends=tuple(frontend for frontend, _ in pairs),
        backends=tuple(backend for _, backend in pairs if backend is not None),
        interfaces=plumbing.interfaces,
    )


def _load_balancer(
    wish: LoadBalancerWish, subnets: Mapping[SubnetId, str]
) -> Iterator[tuple[Frontend, Backend | None]]:
    if not wish.load_balancer.admin_state_up:
        return
    pools = {pool.pool.id: pool for pool in wish.pools}
    balancer = wish.load_balancer
    addresses = [words.address(vip.address, "VIP") for vip in (balancer.vip, *balancer.additional_vips)]
    for listener in wish.listeners:
        if listener.admin_state_up:
            mode = words.one_of(listener.protocol, MODES, f"listener {listener.id}: protocol")
            pool = pools.get(listener.default_pool_id) if listener.default_pool_id else None
            backend = _backend(pool, _Place(mode, listener, subnets)) if pool and pool.pool.admin_state_up else None
            yield _frontend(listener, mode, addresses, backend), backend


def _frontend(listener: Listener, mode: Word, addresses: list[Word], backend: Backend | None) -> Frontend:
    what = f"listener {listener.id}"
    wanted = {name for name, value in listener.insert_headers.items() if str(value).lower() == "true"}
    if unknown := sorted(wanted - HEADERS.keys() - {FORWARDED_FOR}):
        raise RenderError(f"{what}: insert_headers: {unknown[0]!r} is not supported")
    if wanted and mode != "http":
        raise RenderError(f"{what}: insert_headers: only HTTP has headers")
    return Frontend(
        name=words.identifier(listener.id, what),
        mode=mode,
        binds=tuple(bind(address, listener.protocol_port) for address in addresses),
        connection_limit=listener.connection_limit if listener.connection_limit >= 0 else None,
        timeout_client_ms=words.milliseconds(listener.timeout_client_data_ms),
        timeout_inspect_ms=listener.timeout_tcp_inspect_ms and words.milliseconds(listener.timeout_tcp_inspect_ms),
        allowed=tuple(words.network(cidr, f"{what}: allowed_cidrs") for cidr in listener.allowed_cidrs),
        forward_for=FORWARDED_FOR in wanted,
        headers=tuple((name, HEADERS[name]) for name in HEADERS if name in wanted),
        backend=backend.name if backend else None,
    )


def _backend(wish: PoolWish, place: _Place) -> Backend:
    pool, what = wish.pool, f"pool {wish.pool.id}"
    monitor = wish.health_monitor
    check = _check(monitor) if monitor and monitor.admin_state_up else None
    persistence = _persistence(pool, place.mode)
    return Backend(
        name=Word(f"{words.identifier(pool.id, what)}:{words.identifier(place.listener.id, 'listener')}"),
        mode=place.mode,
        algorithm=words.one_of(pool.lb_algorithm, ALGORITHMS, f"{what}: lb_algorithm"),
        timeout_connect_ms=words.milliseconds(place.listener.timeout_member_connect_ms),
        timeout_server_ms=words.milliseconds(place.listener.timeout_member_data_ms),
        check=check,
        persistence=persistence,
        servers=tuple(_server(member, pool, place, check, persistence) for member in wish.members),
    )


def _server(member: Member, pool: Pool, place: _Place, check: Check | None, persistence: Persistence | None) -> Server:
    what = f"member {member.id}"
    if member.subnet_id and member.subnet_id not in place.subnets:
        raise RenderError(f"{what}: no interface leads to its subnet {member.subnet_id}")
    return Server(
        name=words.identifier(member.id, what),
        address=words.destination(member.address, f"{what}: address"),
        port=member.protocol_port,
        weight=min(member.weight, MOST_WEIGHT),
        disabled=not member.admin_state_up,
        backup=member.backup,
        check=check,
        check_address=words.destination(member.monitor_address, f"{what}: monitor_address")
        if check and member.monitor_address
        else None,
        check_port=member.monitor_port if check else None,
        interface=Word(place.subnets[member.subnet_id]) if member.subnet_id else None,
        proxy_protocol=Word(PROXY_PROTOCOLS[pool.protocol]) if pool.protocol in PROXY_PROTOCOLS else None,
        cookie=persistence is not None and persistence.kind == "insert",
    )


def _check(monitor: HealthMonitor) -> Check:
    what = f"health monitor {monitor.id}"
    kind = words.one_of(monitor.type, CHECK_TYPES, f"{what}: type")
    return Check(
        interval_s=monitor.delay_s,
        timeout_s=monitor.timeout_s,
        fall=monitor.max_retries_down,
        rise=monitor.max_retries,
        tls=monitor.type in ("HTTPS", "TLS-HELLO"),
        http=_http_check(monitor, what) if kind == "http" else None,
    )


def _http_check(monitor: HealthMonitor, what: str) -> HttpCheck:
    version = str(monitor.http_version or 1.0)
    return HttpCheck(
        method=words.one_of(monitor.http_method or "GET", HTTP_METHODS, f"{what}: http_method"),
        path=words.path(monitor.url_path or "/", f"{what}: url_path"),
        version=words.one_of(version, HTTP_VERSIONS, f"{what}: http_version"),
        host=words.host(monitor.domain_name, f"{what}: domain_name") if monitor.domain_name else None,
        expected=words.status_codes(monitor.expected_codes or "200", f"{what}: expected_codes"),
    )


def _persistence(pool: Pool, mode: Word) -> Persistence | None:
    wish, what = pool.session_persistence, f"pool {pool.id}: session_persistence"
    if wish is None:
        return None
    kind = words.one_of(wish.type, PERSISTENCES, f"{what}: type")
    if kind != "source" and mode != "http":
        raise RenderError(f"{what}: {wish.type} needs HTTP")
    cookie = COOKIE if kind == "insert" else None
    if kind == "learn":
        cookie = words.cookie_name(wish.cookie_name or "", f"{what}: cookie_name")
    return Persistence(kind=kind, cookie=cookie, expires_s=wish.persistence_timeout_s)
