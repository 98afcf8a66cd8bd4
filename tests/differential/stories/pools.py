"""Pools: parents, algorithms, persistence, TLS to members."""

from collections.abc import Iterator
from typing import Any

from differential.story import MEMBER, MONITOR, NOTHING, POOL, Story

PROTOCOLS = ("HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP", "UDP", "SCTP", "TERMINATED_HTTPS")
PERSISTENCES: tuple[Any, ...] = (
    {"type": "SOURCE_IP"},
    {"type": "HTTP_COOKIE"},
    {"type": "APP_COOKIE", "cookie_name": "JSESSIONID"},
    {"type": "APP_COOKIE"},
    {"type": "HTTP_COOKIE", "cookie_name": "x"},
    {"type": "SOURCE_IP", "cookie_name": "x"},
    {"type": "APP_COOKIE", "cookie_name": "a b"},
    {"type": "APP_COOKIE", "cookie_name": "a;b"},
    {"type": "APP_COOKIE", "cookie_name": "a,b"},
    {"type": "APP_COOKIE", "cookie_name": "a\\b"},
    {"type": "APP_COOKIE", "cookie_name": "ä"},
    {"type": "APP_COOKIE", "cookie_name": ""},
    {"type": "APP_COOKIE", "cookie_name": "x" * 256},
    {"type": "SOURCE_IP", "persistence_timeout": 60},
    {"type": "SOURCE_IP", "persistence_granularity": "255.255.0.0"},
    {"type": "SOURCE_IP", "persistence_timeout": 60, "persistence_granularity": "255.255.0.0"},
    {"type": "SOURCE_IP", "persistence_granularity": "x"},
    {"type": "SOURCE_IP", "persistence_timeout": -1},
    {"type": "MAGIC"},
    {"cookie_name": "x"},
    {"type": "SOURCE_IP", "colour": "red"},
    {},
    None,
    "SOURCE_IP",
    [],
)


class _Place:
    """A story with a load balancer and a listener in it."""

    def __init__(self, name: str) -> None:
        self.story = Story(name)
        self.lb = self.story.load_balancer()
        self.listener = self.story.listener(self.lb)

    def attempt(self, name: str, /, **fields: Any) -> None:
        wish = {"loadbalancer_id": self.lb, **POOL, **fields}
        wish = {key: value for key, value in wish.items() if value is not ...}
        self.story.attempt("pools", "pool", wish, name=name)


def parents() -> Iterator[Story]:
    place = _Place("parents of pools")
    place.attempt("load balancer")
    place.attempt("listener", loadbalancer_id=..., listener_id=place.listener)
    place.attempt("both", listener_id=place.listener)
    place.attempt("neither", loadbalancer_id=...)
    place.attempt("unknown load balancer", loadbalancer_id=NOTHING)
    place.attempt("unknown listener", loadbalancer_id=..., listener_id=NOTHING)
    place.attempt("null listener", listener_id=None)
    place.attempt("incompatible listener", loadbalancer_id=..., listener_id=place.listener, protocol="UDP")
    place.attempt("TCP pool of HTTP listener", loadbalancer_id=..., listener_id=place.listener, protocol="TCP")
    place.story.post("pools", "pool", {"listener_id": place.listener, **POOL}, name="default pool")
    place.attempt("a second default pool", loadbalancer_id=..., listener_id=place.listener)
    place.attempt("with members", members=[MEMBER])
    place.attempt("with no members", members=[])
    place.attempt("with a monitor", healthmonitor=MONITOR)
    prometheus = place.story.listener(place.lb, protocol="PROMETHEUS", protocol_port=9100)
    place.attempt("of PROMETHEUS", loadbalancer_id=..., listener_id=prometheus)
    yield place.story


def kinds() -> Iterator[Story]:
    place = _Place("protocols and algorithms of pools")
    for protocol in PROTOCOLS:
        place.attempt(protocol, protocol=protocol)
    for algorithm in ("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT", "RANDOM", None):
        place.attempt(f"{algorithm}", lb_algorithm=algorithm)
    for versions in (["SSLv3"], ["SSLv3", "TLSv1.2"]):
        place.attempt(f"TLS versions {versions}", tls_enabled=True, tls_versions=versions)
    place.attempt("no protocol", protocol=...)
    place.attempt("no algorithm", lb_algorithm=...)
    place.attempt("project of another", project_id="p2")
    yield place.story


def persistence() -> Iterator[Story]:
    place = _Place("session persistence")
    for protocol in ("HTTP", "TCP", "UDP"):
        for wish in PERSISTENCES[:6] + PERSISTENCES[13:16] if protocol != "HTTP" else PERSISTENCES:
            place.attempt(f"{protocol} {wish!r:.90}", protocol=protocol, session_persistence=wish)
    tcp = place.story.listener(place.lb, protocol="TCP", protocol_port=81)
    for wish in ({"type": "HTTP_COOKIE"}, {"type": "SOURCE_IP"}):
        fields = {"protocol": "TCP", "session_persistence": wish}
        place.attempt(f"{wish['type']} behind TCP", loadbalancer_id=..., listener_id=tcp, **fields)
    yield place.story


def persistence_changes() -> Iterator[Story]:
    place = _Place("changes of session persistence")
    for protocol in ("HTTP", "UDP"):
        pool = place.story.pool(place.lb, protocol=protocol)
        for wish in (
            {},
            {"cookie_name": "x"},
            {"type": "APP_COOKIE", "cookie_name": "x"},
            {"cookie_name": "y"},
            {"type": "HTTP_COOKIE"},
            {"type": "SOURCE_IP"},
            {"persistence_timeout": 5},
            {"type": "MAGIC"},
            {},
            None,
        ):
            place.story.put(f"pools/{pool}", "pool", {"session_persistence": wish}, name=f"{protocol} {wish!r:.60}")
    yield place.story


def life() -> Iterator[Story]:
    place = _Place("a pool's life")
    story = place.story
    pool = story.post("pools", "pool", {"listener_id": place.listener, **POOL, "name": "p", "tags": ["a"]})
    path = f"pools/{pool}"
    story.get(path)
    for change in (
        {"name": "q", "description": "d"},
        {"name": None, "description": None},
        {"lb_algorithm": "SOURCE_IP"},
        {"lb_algorithm": None},
        {"admin_state_up": False},
        {"admin_state_up": None},
        {"tags": ["b"]},
        {"protocol": "TCP"},
        {"listener_id": place.listener},
        {"loadbalancer_id": place.lb},
        {"members": []},
        {"tls_enabled": None},
        {"tls_container_ref": "a"},
        {"tls_container_ref": None},
        {"tls_versions": ["TLSv1.3"]},
        {"tls_versions": None},
        {"tls_versions": []},
        {"tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
        {"tls_ciphers": None},
        {"alpn_protocols": ["h2"]},
        {"alpn_protocols": None},
        {"crl_container_ref": "crl"},
        {},
    ):
        story.put(path, "pool", change, name=f"change {change!r:.60}")
    more = {"tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256", "tls_versions": ["TLSv1.3"], "alpn_protocols": ["h2"]}
    story.put(path, "pool", {"tls_enabled": True, **more}, name="TLS")
    story.put(path, "pool", {"tls_enabled": False}, name="no TLS any more")
    story.get(path)
    story.get(f"{path}/bogus")
    story.get(f"listeners/{place.listener}")
    plain = story.pool(place.lb)
    story.put(f"pools/{plain}", "pool", {"tls_enabled": True}, name="TLS and nothing else")
    story.delete(path)
    story.get(path, name="gone")
    story.get(f"listeners/{place.listener}", name="listener without it")
    yield story


def tls() -> Iterator[Story]:
    place = _Place("TLS to members")
    for name, wish in {
        "on": {"tls_enabled": True},
        "null": {"tls_enabled": None},
        "certificate": {"tls_enabled": True, "tls_container_ref": "c"},
        "certificate of a plain pool": {"tls_container_ref": "c"},
        "revocations without authority": {"tls_enabled": True, "crl_container_ref": "crl"},
        "versions": {"tls_enabled": True, "tls_versions": ["TLSv1.3"]},
        "no versions": {"tls_enabled": True, "tls_versions": []},
        "wrong versions": {"tls_enabled": True, "tls_versions": ["TLSv9"]},
        "versions of a plain pool": {"tls_versions": ["TLSv1.3"]},
        "wrong versions of a plain pool": {"tls_versions": ["TLSv9"]},
        "ciphers": {"tls_enabled": True, "tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
        "wrong ciphers": {"tls_enabled": True, "tls_ciphers": "A B"},
        "ciphers of a plain pool": {"tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
        "protocols": {"tls_enabled": True, "alpn_protocols": ["h2"]},
        "no protocols": {"tls_enabled": True, "alpn_protocols": []},
        "wrong protocols": {"tls_enabled": True, "alpn_protocols": ["spdy"]},
        "protocols of a plain pool": {"alpn_protocols": ["h2"]},
    }.items():
        place.attempt(name, **wish)
    yield place.story


def deletion() -> Iterator[Story]:
    place = _Place("deletion of pools")
    story = place.story
    pool = story.pool(place.lb)
    member = story.member(pool)
    monitor = story.monitor(pool)
    policy = story.policy(place.listener, action="REDIRECT_TO_POOL", redirect_pool_id=pool)
    story.delete(f"pools/{pool}", name="in use by a policy")
    story.delete(f"l7policies/{policy}", is_told=False)
    story.delete(f"pools/{pool}", name="with member and monitor")
    story.get(f"pools/{pool}/members/{member}")
    story.get(f"healthmonitors/{monitor}")
    yield story


TELLERS = (parents, kinds, persistence, persistence_changes, life, tls, deletion)
