"""The field table, and what fits each field and what does not: generated from it, and what a value needs beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builders import PUBLIC, TENANT, an_id

Spec = dict[str, Any]
Body = dict[str, Any]

FIELDS: dict[str, dict[str, Spec]] = json.loads((Path(__file__).parent / "octavia-v2-fields.json").read_text())
NEW_NAME = "<new-name>"
"""A name that nobody has yet, as long as can be."""

CERTIFICATE = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": "secret"}
CLIENTS = CERTIFICATE | {"client_ca_tls_container_ref": "ca"}
HSTS = CERTIFICATE | {"hsts_max_age": 1}
URL = "https://new.example/a"
MEMBER = {"address": "10.1.0.10", "protocol_port": 80}
POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MONITOR = {"type": "HTTP", "delay": 5, "timeout": 1, "max_retries": 1}
RULE = {"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-Kind", "value": "blue"}
VERSIONS, ALPN = ["TLSv1.2", "TLSv1.3"], ["h2", "http/1.1", "http/1.0"]

BASES: Mapping[str, Body] = {
    "loadbalancer": {"vip_subnet_id": PUBLIC},
    "listener": {"loadbalancer_id": "<lb>", "protocol": "HTTP", "protocol_port": 80},
    "pool": {"loadbalancer_id": "<lb>", **POOL},
    "member": MEMBER,
    "healthmonitor": {"pool_id": "<pool>", **MONITOR},
    "l7policy": {"listener_id": "<listener>", "action": "REJECT"},
    "rule": RULE,
    "flavorprofile": {"name": "profile", "provider_name": "amphora", "flavor_data": "{}"},
    "flavor": {"name": NEW_NAME, "flavor_profile_id": "<flavorprofile>"},
    "availability_zone_profile": {"name": "profile", "provider_name": "amphora", "availability_zone_data": "{}"},
    "availability_zone": {"name": NEW_NAME, "availability_zone_profile_id": "<availability_zone_profile>"},
}
"""The least that makes one, of all that can be made: quotas are only set, amphorae and providers only shown."""

CIPHER_LISTS = ["HIGH:!aNULL", "TLS_AES_256_GCM_SHA384", "AES128-SHA:" + "x" * 2037]

VALUES: Mapping[tuple[str, str], list[Any]] = {
    ("loadbalancer", "additional_vips"): [[], [{"subnet_id": TENANT}]],
    ("loadbalancer", "listeners"): [[], [{"protocol": "HTTP", "protocol_port": 80}]],
    ("loadbalancer", "pools"): [[], [{"name": "p", **POOL}]],
    ("loadbalancer", "provider"): ["actium", "amphora", "octavia"],
    ("loadbalancer", "vip_sg_ids"): [[], [an_id("group")]],
    ("listener", "default_pool_id"): ["<pool>"],
    ("listener", "loadbalancer_id"): ["<lb>"],
    ("listener", "tls_ciphers"): CIPHER_LISTS,
    ("listener", "insert_headers"): [{}, {"X-Forwarded-For": "x" * 255}],
    ("listener", "allowed_cidrs"): [["203.0.113.0/24"]],
    ("pool", "session_persistence"): [{"type": "SOURCE_IP"}, {"type": "APP_COOKIE", "cookie_name": "x" * 255}],
    ("pool", "tls_ciphers"): CIPHER_LISTS,
    ("pool", "loadbalancer_id"): ["<lb>"],
    ("pool", "listener_id"): ["<listener>"],
    ("member", "request_sriov"): [False],
    ("healthmonitor", "pool_id"): ["<pool>"],
    ("healthmonitor", "url_path"): ["/", "/" + "x" * 254, "/a?b=c"],
    ("healthmonitor", "expected_codes"): ["200", "200, 202", "200-204"],
    ("healthmonitor", "domain_name"): ["a.example", "_a.b-c.example."],
    ("l7policy", "listener_id"): ["<listener>"],
    ("l7policy", "redirect_pool_id"): ["<pool>"],
    ("rule", "key"): ["X" * 255],
    ("flavor", "name"): [NEW_NAME],
    ("flavor", "flavor_profile_id"): ["<flavorprofile>"],
    ("flavorprofile", "provider_name"): ["actium", "amphora", "octavia"],
    ("flavorprofile", "flavor_data"): ["{}".ljust(4096), '{"loadbalancer_topology": "SINGLE"}'],
    ("availability_zone", "name"): [NEW_NAME],
    ("availability_zone", "availability_zone_profile_id"): ["<availability_zone_profile>"],
    ("availability_zone_profile", "provider_name"): ["actium", "amphora", "octavia"],
    ("availability_zone_profile", "availability_zone_data"): ["{}".ljust(4096), '{"compute_zone": "nova"}'],
}
"""Right values where type and limits alone do not give one."""

NEEDS: Mapping[tuple[str, str], Body] = {
    ("listener", "default_tls_container_ref"): {"protocol": "TERMINATED_HTTPS"},
    ("listener", "sni_container_refs"): CERTIFICATE,
    ("listener", "client_ca_tls_container_ref"): CERTIFICATE,
    ("listener", "client_authentication"): CLIENTS,
    ("listener", "client_crl_container_ref"): CLIENTS,
    ("listener", "tls_ciphers"): CERTIFICATE,
    ("listener", "tls_versions"): CERTIFICATE,
    ("listener", "alpn_protocols"): CERTIFICATE,
    ("listener", "hsts_max_age"): CERTIFICATE,
    ("listener", "hsts_include_subdomains"): HSTS,
    ("listener", "hsts_preload"): HSTS,
    ("pool", "crl_container_ref"): {"ca_tls_container_ref": "ca"},
    ("pool", "tls_ciphers"): {"tls_enabled": True},
    ("pool", "tls_versions"): {"tls_enabled": True},
    ("pool", "alpn_protocols"): {"tls_enabled": True},
    ("healthmonitor", "domain_name"): {"http_version": 1.1},
    ("l7policy", "redirect_pool_id"): {"action": "REDIRECT_TO_POOL"},
    ("l7policy", "redirect_url"): {"action": "REDIRECT_TO_URL"},
    ("l7policy", "redirect_prefix"): {"action": "REDIRECT_PREFIX"},
    ("l7policy", "redirect_http_code"): {"action": "REDIRECT_TO_URL", "redirect_url": URL},
}
"""What must stand beside a field."""

NEEDS_OF_VALUE: Mapping[tuple[str, str, Any], Body] = {
    ("listener", "protocol", "TERMINATED_HTTPS"): {"default_tls_container_ref": "secret"},
    ("l7policy", "action", "REDIRECT_TO_POOL"): {"redirect_pool_id": "<pool>"},
    ("l7policy", "action", "REDIRECT_TO_URL"): {"redirect_url": URL},
    ("l7policy", "action", "REDIRECT_PREFIX"): {"redirect_prefix": URL},
    ("rule", "type", "SSL_CONN_HAS_CERT"): {"key": None, "value": "true"},
    ("rule", "type", "SSL_VERIFY_RESULT"): {"key": None, "value": "0"},
    ("rule", "type", "SSL_DN_FIELD"): {"key": "CN"},
    ("rule", "type", "FILE_TYPE"): {"key": None},
    ("rule", "type", "HOST_NAME"): {"key": None},
    ("rule", "type", "PATH"): {"key": None},
}


def right_values(kind: str, field: str) -> list[Any]:
    spec = FIELDS[kind][field]
    return VALUES.get((kind, field)) or _of_spec(spec)


def _of_spec(spec: Spec) -> list[Any]:
    match spec:
        case {"enum": [*values]}:
            return values
        case {"type": "boolean"}:
            return [True, False]
        case {"type": "integer"}:
            return [spec["minimum"], spec.get("maximum", 2**31 - 1)]
        case {"type": "array", "items": {"enum": [*values]}}:
            return [values, values[:1]]
        case {"type": "array", "items": {"max_length": 32}}:
            return [VERSIONS, VERSIONS[:1]]
        case {"type": "array", "items": items}:
            return [[], [_of_spec(items)[0], "another"]]
        case {"format": "uuid"}:
            return [an_id("some")]
        case {"format": "ip"}:
            return ["203.0.113.7"]
        case {"format": "http-url"}:
            return [URL]
        case _:
            return ["x" * spec["max_length"]]


WRONG_TYPES: Mapping[str, list[Any]] = {
    "string": [5, [], {}],
    "boolean": ["maybe", "TRUE", "", []],
    "integer": ["80.5", "abc", [], {}],
    "number": ["abc", []],
    "array": ["x", 5, {}],
    "object": ["x", 5, []],
}


def wrong_values(spec: Spec) -> list[Any]:
    """Give values that are refused by type and limits alone."""
    wrong = list(WRONG_TYPES[spec["type"]])
    wrong += ["NONSENSE", "x" * 300] if "enum" in spec and spec["type"] == "string" else []
    wrong += [7] if "enum" in spec and spec["type"] != "string" else []
    wrong += [spec["minimum"] - 1] if "minimum" in spec else []
    wrong += [spec["maximum"] + 1] if "maximum" in spec else []
    wrong += ["x" * (spec["max_length"] + 1)] if "max_length" in spec else []
    formats = {"uuid": ["", "x"], "ip": ["", "10.0.0.256", "a.example"], "http-url": ["", "a", "ftp://a/"]}
    wrong += formats.get(spec.get("format", ""), [])
    wrong += ["", "a", "/a b"] if spec.get("format") == "url-path" else []
    if "items" in spec:
        wrong += [[each] for each in wrong_values(spec["items"])]
    if "values" in spec:
        wrong += [{"X-Forwarded-For": each} for each in wrong_values(spec["values"])]
    return wrong


def needs(kind: str, field: str, value: Any = None) -> Body:
    more = {} if isinstance(value, list | dict) else NEEDS_OF_VALUE.get((kind, field, value), {})
    return {**NEEDS.get((kind, field), {}), **more}
