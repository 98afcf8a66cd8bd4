"""Listeners: protocols, ports, default pools, TLS, headers, ranges."""

from collections.abc import Iterator
from typing import Any

from differential.story import NOTHING, Story

PROTOCOLS = ("HTTP", "HTTPS", "TCP", "TERMINATED_HTTPS", "UDP", "PROMETHEUS")
POOL_PROTOCOLS = ("HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP", "UDP")
CERTIFICATE = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": "a-certificate"}
CLIENTS = {**CERTIFICATE, "client_ca_tls_container_ref": "an-authority"}


class _Place:
    """A story with a load balancer in it."""

    def __init__(self, name: str, **fields: Any) -> None:
        self.story = Story(name)
        self.lb = self.story.load_balancer(**fields)

    def attempt(self, name: str, /, **fields: Any) -> None:
        wish = {"loadbalancer_id": self.lb, "protocol": "HTTP", "protocol_port": 80, **fields}
        wish = {key: value for key, value in wish.items() if value is not ...}
        self.story.attempt("listeners", "listener", wish, name=name)


def protocols() -> Iterator[Story]:
    place = _Place("protocols of listeners")
    for protocol in (*PROTOCOLS, "SCTP", "http", "QUIC"):
        place.attempt(protocol, protocol=protocol)
    for port in (1, 65535, 0, 65536, -1, None, "80"):
        place.attempt(f"port {port!r}", protocol_port=port)
    place.attempt("no port", protocol_port=...)
    place.attempt("no protocol", protocol=...)
    place.attempt("no load balancer", loadbalancer_id=...)
    place.attempt("unknown load balancer", loadbalancer_id=NOTHING)
    place.attempt("project of another", project_id="p2")
    yield place.story


def ports() -> Iterator[Story]:
    place = _Place("ports of listeners")
    for protocol in ("HTTP", "UDP"):
        place.story.listener(place.lb, protocol=protocol, name=protocol)
    for protocol in PROTOCOLS:
        place.attempt(protocol, protocol=protocol, default_tls_container_ref="c" if "TERM" in protocol else None)
    other = place.story.load_balancer()
    place.attempt("of another load balancer", loadbalancer_id=other)
    yield place.story


def default_pools() -> Iterator[Story]:
    story = Story("default pools")
    lb = story.load_balancer()
    pools = {protocol: story.pool(lb, protocol=protocol) for protocol in POOL_PROTOCOLS}
    port = 1000
    for protocol in PROTOCOLS:
        for each, pool in pools.items():
            port += 1
            wish = {"loadbalancer_id": lb, "protocol": protocol, "protocol_port": port, "default_pool_id": pool}
            more = {"default_tls_container_ref": "c"} if protocol == "TERMINATED_HTTPS" else {}
            story.attempt("listeners", "listener", {**wish, **more}, name=f"{protocol} {each}")
    listener = story.listener(lb)
    for each, pool in pools.items():
        story.put(f"listeners/{listener}", "listener", {"default_pool_id": pool}, name=f"change to {each}")
    story.put(f"listeners/{listener}", "listener", {"default_pool_id": None})
    story.put(f"listeners/{listener}", "listener", {"default_pool_id": NOTHING})
    other = story.pool(story.load_balancer())
    story.put(f"listeners/{listener}", "listener", {"default_pool_id": other}, name="of another load balancer")
    story.get(f"pools/{pools['HTTP']}")
    yield story


def life() -> Iterator[Story]:
    place = _Place("a listener's life")
    story = place.story
    listener = story.listener(place.lb, is_told=True, name="l", tags=["a"], insert_headers={"X-Forwarded-For": "true"})
    path = f"listeners/{listener}"
    story.get(path)
    changes: tuple[dict[str, Any], ...] = (
        {"name": "m", "description": "d"},
        {"connection_limit": 5},
        {"connection_limit": None},
        {"timeout_client_data": 1, "timeout_member_connect": 2, "timeout_member_data": 3, "timeout_tcp_inspect": 4},
        {
            "timeout_client_data": None,
            "timeout_member_connect": None,
            "timeout_member_data": None,
            "timeout_tcp_inspect": None,
        },
        {"insert_headers": {"X-Forwarded-Port": "true"}},
        {"insert_headers": None},
        {"insert_headers": {"X-Forwarded-For": True}},
        {"insert_headers": {"X-Made-Up": "true"}},
        {"insert_headers": {"X-SSL-Client-CN": "true"}},
        {"allowed_cidrs": ["203.0.113.0/24", "203.0.113.7", "203.0.113.9/24"]},
        {"allowed_cidrs": ["2001:db8::/32"]},
        {"allowed_cidrs": ["x"]},
        {"allowed_cidrs": []},
        {"allowed_cidrs": None},
        {"tags": ["b", "c"]},
        {"admin_state_up": False},
        {"admin_state_up": None},
        {"tls_versions": ["TLSv1.2"]},
        {"tls_versions": []},
        {"tls_versions": ["TLSv9"]},
        {"tls_versions": None},
        {"tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
        {"tls_ciphers": "A B"},
        {"tls_ciphers": None},
        {"alpn_protocols": ["h2"]},
        {"alpn_protocols": []},
        {"alpn_protocols": None},
        {"hsts_max_age": 5},
        {"hsts_preload": True},
        {"client_authentication": "OPTIONAL"},
        {"client_authentication": None},
        {"client_ca_tls_container_ref": "a"},
        {"client_crl_container_ref": "a"},
        {"default_tls_container_ref": "a"},
        {"sni_container_refs": ["a"]},
        {"sni_container_refs": []},
        {"protocol": "TCP"},
        {"protocol_port": 5},
        {"loadbalancer_id": NOTHING},
    )
    for change in changes:
        story.put(path, "listener", change, name=f"change {change!r:.60}")
    story.get(path)
    story.get(f"{path}/stats")
    story.get(f"{path}/bogus")
    story.get(f"{path}?fields=protocol")
    story.delete(path)
    story.get(path)
    story.delete(path)
    story.get(f"loadbalancers/{place.lb}")
    yield story


def headers() -> Iterator[Story]:
    place = _Place("inserted headers")
    plain = ("For", "Port", "Proto", "IP")
    names = (*(f"X-Forwarded-{each}" for each in plain), "X-Client-IP", "X-Real-IP", "X-Made-Up", "x-forwarded-for")
    tls = ("Verify", "Has-Cert", "DN", "CN", "SHA1", "Not-Before", "Not-After")
    names += (*(f"X-SSL-Client-{each}" for each in tls), "X-SSL-Issuer")
    for name in names:
        place.attempt(f"HTTP {name}", insert_headers={name: "true"})
        place.attempt(f"TLS {name}", **CERTIFICATE, insert_headers={name: "true"})
    for value in ("true", "false", "True", "zz", "", "x" * 256, True, None, 5):
        place.attempt(f"value {value!r:.20}", insert_headers={"X-Forwarded-For": value})
    for protocol in ("TCP", "HTTPS", "UDP", "PROMETHEUS"):
        place.attempt(f"of {protocol}", protocol=protocol, insert_headers={"X-Forwarded-For": "true"})
    place.attempt("null", insert_headers=None)
    place.attempt("a list", insert_headers=[])
    yield place.story


def tls() -> Iterator[Story]:
    place = _Place("listeners that end TLS")
    place.attempt("no certificate", protocol="TERMINATED_HTTPS")
    place.attempt("certificate", **CERTIFICATE)
    place.attempt("names alone", protocol="TERMINATED_HTTPS", sni_container_refs=["a", "b"])
    place.attempt("both", **CERTIFICATE, sni_container_refs=["b", "a"])
    for protocol in ("HTTP", "TCP", "HTTPS", "UDP", "PROMETHEUS"):
        place.attempt(f"certificate of {protocol}", protocol=protocol, default_tls_container_ref="c")
        place.attempt(f"names of {protocol}", protocol=protocol, sni_container_refs=["c"])
    for mode in ("NONE", "OPTIONAL", "MANDATORY", "MAYBE", None):
        place.attempt(f"clients {mode} without authority", **CERTIFICATE, client_authentication=mode)
    place.attempt("authority without certificate", client_ca_tls_container_ref="ca")
    place.attempt("revocations without authority", **CERTIFICATE, client_crl_container_ref="crl")
    for versions in (["TLSv1.3"], ["SSLv3", "TLSv1"], ["SSLv3"], [], ["TLSv9"], None, ["TLSv1.2", "TLSv1.2"]):
        place.attempt(f"versions {versions}", **CERTIFICATE, tls_versions=versions)
        place.attempt(f"versions {versions} of HTTP", tls_versions=versions)
    for ciphers in ("ECDHE-RSA-AES128-GCM-SHA256", "A B", "", "A;B", "!x", None, "x" * 2049):
        place.attempt(f"ciphers {ciphers!r:.30}", **CERTIFICATE, tls_ciphers=ciphers)
        place.attempt(f"ciphers {ciphers!r:.30} of HTTP", tls_ciphers=ciphers)
    for protocols_ in (["h2"], ["http/1.1", "http/1.0"], [], ["spdy"], None):
        place.attempt(f"protocols {protocols_}", **CERTIFICATE, alpn_protocols=protocols_)
        place.attempt(f"protocols {protocols_} of HTTP", alpn_protocols=protocols_)
    for hsts in (
        {"hsts_max_age": 10},
        {"hsts_max_age": 0},
        {"hsts_max_age": -1},
        {"hsts_max_age": 10, "hsts_preload": True, "hsts_include_subdomains": True},
        {"hsts_preload": True},
        {"hsts_include_subdomains": True},
        {"hsts_preload": False},
    ):
        place.attempt(f"HSTS {hsts}", **CERTIFICATE, **hsts)
        place.attempt(f"HSTS {hsts} of HTTP", **hsts)
    yield place.story


def tls_changes() -> Iterator[Story]:
    place = _Place("changes of a listener that ends TLS")
    story = place.story
    listener = story.listener(place.lb, **CERTIFICATE, is_told=True)
    for change in (
        {"default_tls_container_ref": "other"},
        {"sni_container_refs": ["a", "b"]},
        {"default_tls_container_ref": None},
        {"default_tls_container_ref": "back"},
        {"sni_container_refs": None},
        {"sni_container_refs": []},
        {"client_authentication": "MANDATORY"},
        {"client_crl_container_ref": "crl"},
        {"hsts_max_age": 5, "hsts_preload": True},
        {"hsts_preload": None},
        {"hsts_max_age": None},
        {"tls_versions": ["TLSv1.3"]},
        {"tls_versions": None},
        {"tls_ciphers": None},
        {"alpn_protocols": ["h2"]},
        {"alpn_protocols": None},
        {"insert_headers": {"X-SSL-Client-CN": "true"}},
    ):
        story.put(f"listeners/{listener}", "listener", change, name=f"change {change!r:.60}")
    story.get(f"listeners/{listener}")
    story.put(f"listeners/{listener}", "listener", {"default_tls_container_ref": None}, name="the last certificate")
    story.put(f"listeners/{listener}", "listener", {"hsts_max_age": 5, "hsts_preload": True}, is_told=False)
    story.put(f"listeners/{listener}", "listener", {"hsts_max_age": None}, name="age without which there is no preload")
    yield story


def ranges() -> Iterator[Story]:
    place = _Place("allowed ranges", vip_address="203.0.113.5")
    for cidrs in (["10.0.0.0/8"], ["10.0.0.1/8"], ["10.0.0.1"], ["2001:db8::/32"], ["x"], ["10.0.0.0/33"], [""], None):
        place.attempt(f"{cidrs}", allowed_cidrs=cidrs)
    place.attempt("twice", allowed_cidrs=["10.0.0.0/8", "10.0.0.1/8"])
    place.attempt("of UDP", protocol="UDP", allowed_cidrs=["10.0.0.0/8"])
    place.attempt("of TLS", **CERTIFICATE, allowed_cidrs=["10.0.0.0/8"])
    yield place.story


TELLERS = (protocols, ports, default_pools, life, headers, tls, tls_changes, ranges)
