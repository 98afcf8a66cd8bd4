"""Pools as one listener uses them: backends, servers, checks, what keeps a client on its server."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import tls, words
from actium_compute.amphora_drivers.haproxy.model import Backend, Check, HttpCheck, Persistence, Server
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.ids import SubnetId
from actium_shared.wishes import HealthMonitor, Listener, Member, Pool, PoolWish

ALGORITHMS = {
    "ROUND_ROBIN": "roundrobin",
    "LEAST_CONNECTIONS": "leastconn",
    "SOURCE_IP": "source",
    "SOURCE_IP_PORT": "hash src,concat(:,txn.source_port)",
}
PROXY_PROTOCOLS = {"PROXY": "send-proxy", "PROXYV2": "send-proxy-v2"}
CHECK_TYPES = {"TCP": "tcp", "HTTP": "http", "HTTPS": "http", "TLS-HELLO": "hello", "PING": "ping"}
HTTP_METHODS = {name: name for name in ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")}
HTTP_VERSIONS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
HTTP2 = Word("h2")
ITS_ADDRESS = Word("""'%[bc_dst,regsub("^(.*:.*)$","[\\1]")]'""")
"""Where a check is sent, in brackets where that is IPv6."""

DIGEST = ",sha1"
"""Of a cookie as long as any: the sessions of some applications differ only at their ends."""

PERSISTENCES = {"SOURCE_IP": "source", "HTTP_COOKIE": "insert", "APP_COOKIE": "learn"}
COOKIE = Word("SRV")
MOST_WEIGHT = 256
MOST_S = words.MOST_MS // 1000
PING_LEAST_FALL = 2
"""Pings go by the agent. While it is started anew one of them may fail, and no member has died of that."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pool is used: what its servers need to know from outside it."""

    mode: Word
    listener: Listener
    subnets: Mapping[SubnetId, str]


def backend_name(pool: Pool, listener: Listener) -> Word:
    pool_id = words.identifier(pool.id, f"pool {pool.id}")
    return Word(f"{pool_id}:{words.identifier(listener.id, 'listener')}")


def backend(wish: PoolWish, place: Place) -> Backend:
    pool, what = wish.pool, f"pool {wish.pool.id}"
    monitor = wish.health_monitor
    check = _check(monitor, tls.check_protocol(pool, place.mode)) if monitor and monitor.admin_state_up else None
    return Backend(
        name=backend_name(pool, place.listener),
        mode=place.mode,
        algorithm=words.one_of(pool.lb_algorithm, ALGORITHMS, f"{what}: lb_algorithm"),
        timeout_connect_ms=words.milliseconds(place.listener.timeout_member_connect_ms),
        timeout_server_ms=words.milliseconds(place.listener.timeout_member_data_ms),
        check=check,
        persistence=_persistence(pool, place.mode),
        servers=tuple(_server(member, pool, place, check=check) for member in wish.members),
    )


def _server(member: Member, pool: Pool, place: Place, *, check: Check | None) -> Server:
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
        tls=tls.member_words(pool, place.mode, place.listener),
    )


def _check(monitor: HealthMonitor, alpn: Word | None) -> Check:
    what = f"health monitor {monitor.id}"
    kind = words.one_of(monitor.type, CHECK_TYPES, f"{what}: type")
    speaks_http = kind == "http"
    return Check(
        interval_s=_seconds(monitor.delay_s),
        timeout_s=_seconds(monitor.timeout_s),
        fall=max(monitor.max_retries_down, PING_LEAST_FALL) if kind == "ping" else monitor.max_retries_down,
        rise=monitor.max_retries,
        tls=monitor.type == "HTTPS",
        sni=words.host(monitor.domain_name, f"{what}: domain_name") if speaks_http and monitor.domain_name else None,
        alpn=alpn if speaks_http else None,
        ping=kind == "ping",
        hello=kind == "hello",
        http=_http_check(monitor, what, is_http2=alpn == HTTP2) if speaks_http else None,
    )


def _seconds(value: int) -> int:
    """Users may say 0; haproxy's clock needs a moment between two checks, and cannot count months."""
    return min(max(value, 1), MOST_S)


def _http_check(monitor: HealthMonitor, what: str, *, is_http2: bool) -> HttpCheck:
    version = str(monitor.http_version or 1.0)
    host = words.host(monitor.domain_name, f"{what}: domain_name") if monitor.domain_name else None
    return HttpCheck(
        method=words.one_of(monitor.http_method or "GET", HTTP_METHODS, f"{what}: http_method"),
        path=words.path(monitor.url_path or "/", f"{what}: url_path"),
        version=words.one_of(version, HTTP_VERSIONS, f"{what}: http_version"),
        # Whoever speaks HTTP/1.1 refuses a request that names no host.
        host=host or (ITS_ADDRESS if is_http2 or version == "1.1" else None),
        expected=words.status_codes(monitor.expected_codes or "200", f"{what}: expected_codes"),
    )


def _persistence(pool: Pool, mode: Word) -> Persistence | None:
    wish, what = pool.session_persistence, f"pool {pool.id}: session_persistence"
    if wish is None:
        return None
    kind = words.one_of(wish.type, PERSISTENCES, f"{what}: type")
    if kind != "source" and mode != "http":
        raise RenderError(f"{what}: {wish.type} needs HTTP")
    learned = None
    if kind == "learn":
        name = words.cookie_name(wish.cookie_name or "", f"{what}: cookie_name")
        learned = (words.sample("res.cook", name, then=DIGEST), words.sample("req.cook", name, then=DIGEST))
    inserts = kind == "insert"
    return Persistence(
        kind=kind,
        cookie=COOKIE if inserts else None,
        key=_cookie_key(pool) if inserts else None,
        learned=learned,
        expires_s=wish.persistence_timeout_s,
    )


def _cookie_key(pool: Pool) -> Word:
    # Of the pool alone: the same in every amphora and after every change, or clients would lose their servers.
    return Word(hashlib.sha256(f"cookies of {pool.id}".encode()).hexdigest()[:32])
