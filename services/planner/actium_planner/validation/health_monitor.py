"""Health monitors: one per pool, of a type and with settings that fit it."""

import re

from actium_planner.validation.grammar import BLANK_OR_CONTROL, matches, one_of, within
from actium_planner.validation.refusals import Refusals, conflict, invalid
from actium_shared.message import Rejected
from actium_shared.wishes import HealthMonitor, Pool

TYPES = frozenset({"HTTP", "HTTPS", "PING", "SCTP", "TCP", "TLS-HELLO", "UDP-CONNECT"})
DATAGRAM_POOLS = frozenset({"UDP", "SCTP"})
DATAGRAM_TYPES = frozenset({"UDP-CONNECT", "SCTP", "TCP", "HTTP"})
DATAGRAM_ONLY_TYPES = frozenset({"UDP-CONNECT", "SCTP"})
HTTP_TYPES = frozenset({"HTTP", "HTTPS"})
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
CODES = re.compile(r"\d{3}( *, *\d{3})*|\d{3}-\d{3}")
PATH = re.compile(r"/[^\s\x00-\x1f\x7f]*")
ATTEMPTS = (1, 10)
LEAST_UDP_DELAY_S = 3
"""A port that is shut answers a datagram with ICMP, which kernels send sparingly."""


def validate(monitor: HealthMonitor, pool: Pool, existing: HealthMonitor | None) -> Rejected | None:
    """Give the refusal, or nothing when the pool may be checked so."""
    return next(_refusals(monitor, pool, existing), None)


def _refusals(monitor: HealthMonitor, pool: Pool, existing: HealthMonitor | None) -> Refusals:
    yield from one_of("type", monitor.type, TYPES)
    yield from _fits(monitor, pool)
    yield from _numbers(monitor)
    yield from _http(monitor)
    if existing is not None:
        yield conflict(f"Pool {pool.id} already has a health monitor.", field="pool_id")


def _fits(monitor: HealthMonitor, pool: Pool) -> Refusals:
    datagrams = pool.protocol in DATAGRAM_POOLS
    if (datagrams and monitor.type not in DATAGRAM_TYPES) or (not datagrams and monitor.type in DATAGRAM_ONLY_TYPES):
        yield invalid(
            f"Health monitors of type {monitor.type} cannot check a pool of protocol {pool.protocol}.", field="type"
        )


def _numbers(monitor: HealthMonitor) -> Refusals:
    yield from within("delay", monitor.delay_s, LEAST_UDP_DELAY_S if monitor.type == "UDP-CONNECT" else 0)
    yield from within("timeout", monitor.timeout_s, 0)
    yield from within("max_retries", monitor.max_retries, *ATTEMPTS)
    yield from within("max_retries_down", monitor.max_retries_down, *ATTEMPTS)


def _http(monitor: HealthMonitor) -> Refusals:
    if monitor.type not in HTTP_TYPES:
        for name in ("http_method", "url_path", "expected_codes"):
            if getattr(monitor, name) is not None:
                yield invalid(f"{name} is for health monitors of type HTTP and HTTPS.", field=name)
    if monitor.http_method is not None:
        yield from one_of("http_method", monitor.http_method, METHODS)
    yield from matches("url_path", monitor.url_path, PATH, "a path that starts with / and has no blanks")
    yield from matches("expected_codes", monitor.expected_codes, CODES, "a code, a list 200,202 or a range 200-204")
    if monitor.expected_codes is not None and _is_backwards(monitor.expected_codes):
        yield invalid("expected_codes: a range must not end below its beginning.", field="expected_codes")
    if monitor.http_version not in (None, 1.0, 1.1):
        yield invalid(f"http_version must be 1.0 or 1.1, not {monitor.http_version}.", field="http_version")
    yield from _domain(monitor)


def _is_backwards(codes: str) -> bool:
    """Tell whether the codes are a range that holds nothing."""
    first, dash, last = codes.partition("-")
    return bool(dash) and last < first


def _domain(monitor: HealthMonitor) -> Refusals:
    if monitor.domain_name is None:
        return
    if monitor.http_version != 1.1:
        yield invalid("domain_name needs http_version 1.1.", field="http_version")
    if not monitor.domain_name or BLANK_OR_CONTROL.search(monitor.domain_name):
        yield invalid("domain_name must be a host's name without blanks.", field="domain_name")
