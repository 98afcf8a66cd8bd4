"""Pools: protocols and algorithms, how clients are kept on a member, TLS to members, and default pools."""

import re

from actium_planner.validation import tls
from actium_planner.validation.addresses import parsed
from actium_planner.validation.grammar import matches, one_of, within
from actium_planner.validation.listener import validate_pool
from actium_planner.validation.refusals import Refusals, conflict, invalid
from actium_shared.message import Rejected
from actium_shared.wishes import Listener, Pool, SessionPersistence

PROTOCOLS = frozenset({"HTTP", "HTTPS", "PROXY", "PROXYV2", "SCTP", "TCP", "UDP"})
ALGORITHMS = frozenset({"ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"})
DATAGRAMS = frozenset({"SCTP", "UDP"})
PERSISTENCE = frozenset({"SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"})
COOKIE_NAME = re.compile(r"[!-+\--:<-\[\]-~]{1,255}")


def validate(pool: Pool) -> Rejected | None:
    """Give the refusal, or nothing when such a pool can be had."""
    return next(_refusals(pool), None)


def validate_as_default(pool: Pool, listener: Listener) -> Rejected | None:
    """Give the refusal, or nothing when the pool may become the listener's default."""
    if listener.default_pool_id is not None:
        return conflict(f"Listener {listener.id} already has a default pool.", field="listener_id")
    return validate_pool(listener, pool)


def _refusals(pool: Pool) -> Refusals:
    yield from one_of("protocol", pool.protocol, PROTOCOLS)
    yield from one_of("lb_algorithm", pool.lb_algorithm, ALGORITHMS)
    if pool.session_persistence is not None:
        yield from _persistence(pool.session_persistence, pool.protocol)
    yield from _tls(pool)


def _persistence(persistence: SessionPersistence, protocol: str) -> Refusals:
    yield from one_of("session_persistence.type", persistence.type, PERSISTENCE)
    yield from _cookie(persistence)
    if protocol in DATAGRAMS:
        if persistence.type != "SOURCE_IP":
            detail = f"A pool of protocol {protocol} can keep clients by SOURCE_IP only, not by {persistence.type}."
            yield invalid(detail, field="session_persistence.type")
        yield from _datagram_persistence(persistence)
        return
    for name, value in (
        ("persistence_timeout", persistence.persistence_timeout_s),
        ("persistence_granularity", persistence.persistence_granularity),
    ):
        if value is not None:
            yield invalid(f"{name} is for pools of protocol UDP or SCTP.", field=f"session_persistence.{name}")


def _cookie(persistence: SessionPersistence) -> Refusals:
    field = "session_persistence.cookie_name"
    if persistence.type == "APP_COOKIE" and not persistence.cookie_name:
        yield invalid("Session persistence by APP_COOKIE needs cookie_name.", field=field)
    if persistence.type != "APP_COOKIE" and persistence.cookie_name is not None:
        yield invalid("cookie_name is for session persistence by APP_COOKIE.", field=field)
    wanted = "a cookie's name: visible ASCII, no comma, semicolon or backslash"
    yield from matches(field, persistence.cookie_name, COOKIE_NAME, wanted)


def _datagram_persistence(persistence: SessionPersistence) -> Refusals:
    yield from within("session_persistence.persistence_timeout", persistence.persistence_timeout_s, 0)
    mask = persistence.persistence_granularity
    if mask is not None and parsed(mask) is None:
        detail = f"persistence_granularity must be a netmask like 255.255.255.0, not {mask!r}."
        yield invalid(detail, field="session_persistence.persistence_granularity")


def _tls(pool: Pool) -> Refusals:
    if pool.crl_container_ref and not pool.ca_tls_container_ref:
        yield invalid("crl_container_ref needs ca_tls_container_ref.", field="ca_tls_container_ref")
    if pool.tls_enabled:
        yield from tls.refusals(pool)
