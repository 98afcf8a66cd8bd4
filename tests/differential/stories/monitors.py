"""Health monitors: types against pools, what only HTTP has, the grammar of codes."""

from collections.abc import Iterator
from typing import Any

from differential.story import MONITOR, NOTHING, Story

TYPES = ("HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO", "UDP-CONNECT", "SCTP", "GRPC")
CODES = (
    "200",
    "200,202",
    "200, 202",
    "200-204",
    "200-204,301",
    "204-200",
    "2xx",
    "99",
    "600",
    "1000",
    "",
    "200,",
    " 200",
)
PATHS = ("/", "/a", "/a?b=c", "/a#b", "a", "", "/a b", "http://x/", "//x", "/" + "x" * 2048, "/ä", "/a\n")
DOMAINS = (
    "a.example",
    "a",
    "a_b.example",
    "-a.example",
    "a..b",
    "",
    "a b",
    "a.example.",
    "x" * 256,
    "ä.example",
    "10.0.0.1",
)


class _Place:
    def __init__(self, name: str, **fields: Any) -> None:
        self.story = Story(name)
        self.lb = self.story.load_balancer()
        self.pool = self.story.pool(self.lb, **fields)

    def attempt(self, name: str, /, **fields: Any) -> None:
        wish = {"pool_id": self.pool, **MONITOR, **fields}
        wish = {key: value for key, value in wish.items() if value is not ...}
        self.story.attempt("healthmonitors", "healthmonitor", wish, name=name)


def types() -> Iterator[Story]:
    place = _Place("types of monitors")
    pools = {protocol: place.story.pool(place.lb, protocol=protocol) for protocol in ("TCP", "UDP", "PROXY")}
    pools["HTTP"] = place.pool
    for kind in TYPES:
        for protocol, pool in pools.items():
            place.attempt(f"{kind} of {protocol}", type=kind, pool_id=pool)
    for kind in ("TCP", "PING", "TLS-HELLO", "UDP-CONNECT"):
        for field, value in {
            "http_method": "GET",
            "url_path": "/",
            "expected_codes": "200",
            "domain_name": "a.example",
        }.items():
            pool = pools["UDP"] if "UDP" in kind else place.pool
            place.attempt(f"{kind} with {field}", type=kind, pool_id=pool, **{field: value})
    place.attempt("UDP-CONNECT too often", type="UDP-CONNECT", pool_id=pools["UDP"], delay=2)
    place.attempt("no pool", pool_id=...)
    place.attempt("unknown pool", pool_id=NOTHING)
    place.story.monitor(place.pool)
    place.attempt("a second one")
    yield place.story


def values() -> Iterator[Story]:
    place = _Place("values of monitors")
    for codes in CODES:
        place.attempt(f"codes {codes!r}", expected_codes=codes)
    for path in PATHS:
        place.attempt(f"path {path!r:.20}", url_path=path)
    for domain in DOMAINS:
        place.attempt(f"domain {domain!r:.20}", domain_name=domain, http_version=1.1)
    for version in (1.0, 1.1, "1.1", "1.0", 1, 2.0, "x", None):
        place.attempt(f"version {version!r}", http_version=version)
        place.attempt(f"version {version!r} with domain", http_version=version, domain_name="a.example")
    place.attempt("domain without version", domain_name="a.example")
    place.attempt("timeout above delay", timeout=10, delay=5)
    place.attempt("timeout equals delay", timeout=5, delay=5)
    place.attempt("no waiting", timeout=0, delay=0)
    for method in ("GET", "HEAD", "POST", "get", "BREW", None):
        place.attempt(f"method {method}", http_method=method)
    yield place.story


def life() -> Iterator[Story]:
    for kind in ("HTTP", "TCP"):
        place = _Place(f"a {kind} monitor's life")
        story = place.story
        monitor = story.monitor(place.pool, type=kind, is_told=True, name="m")
        path = f"healthmonitors/{monitor}"
        story.get(path)
        for change in (
            {"name": "n"},
            {"name": None},
            {"delay": 7},
            {"delay": None},
            {"timeout": None},
            {"max_retries": None},
            {"max_retries": 11},
            {"max_retries_down": 1},
            {"max_retries_down": None},
            {"http_method": "HEAD"},
            {"http_method": None},
            {"url_path": "/x"},
            {"url_path": None},
            {"expected_codes": "201"},
            {"expected_codes": None},
            {"domain_name": "a.example"},
            {"http_version": 1.1, "domain_name": "a.example"},
            {"http_version": 1.0},
            {"domain_name": None},
            {"http_version": None},
            {"admin_state_up": False},
            {"admin_state_up": None},
            {"tags": ["a"]},
            {"type": "PING"},
            {"pool_id": place.pool},
            {},
        ):
            story.put(path, "healthmonitor", change, name=f"change {change!r:.60}")
        story.get(path)
        story.get(f"pools/{place.pool}")
        story.delete(path)
        story.get(path)
        story.get(f"pools/{place.pool}")
        yield story


TELLERS = (types, values, life)
