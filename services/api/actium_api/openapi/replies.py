"""What replies hold, in the words of JSON Schema. What they say is in `read_model.documents`; a test holds both together."""

from collections.abc import Mapping
from typing import Any

from actium_api.read_model.amphora_rows import SHOWN
from actium_api.read_model.catalogue_documents import OLD_SPELLINGS
from actium_api.read_model.queries import COUNTERS
from actium_shared.quotas import RESOURCES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$"}


def named(name: str) -> Schema:
    """Refer to one of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


def fixed(properties: Mapping[str, Schema]) -> Schema:
    """Give an object that has these properties and no other; each can be left out where `fields` says so."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _of(schema: Schema, *names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, schema)


MAYBE_TEXT, MAYBE_NUMBER, MAYBE_TEXTS, MAYBE_TIME = nullable(TEXT), nullable(NUMBER), nullable(TEXTS), nullable(TIME)
IDS = list_of(fixed({"id": TEXT}))
STATUSES = _of(TEXT, "provisioning_status", "operating_status")
COMMON = {
    **_of(TEXT, "id", "name", "project_id", "tenant_id"),
    **STATUSES,
    "admin_state_up": FLAG,
    "created_at": TIME,
    "updated_at": MAYBE_TIME,
    "tags": TEXTS,
}
DESCRIBED = {**COMMON, "description": TEXT}
TLS = {"tls_ciphers": MAYBE_TEXT, "tls_versions": MAYBE_TEXTS, "alpn_protocols": MAYBE_TEXTS}
LOAD_BALANCER = {
    **DESCRIBED,
    **_of(TEXT, "vip_address", "vip_port_id", "vip_subnet_id", "vip_network_id", "provider", "vip_vnic_type"),
    **_of(MAYBE_TEXT, "flavor_id", "vip_qos_policy_id", "availability_zone"),
    "vip_sg_ids": TEXTS,
    "additional_vips": list_of(fixed(_of(TEXT, "subnet_id", "ip_address", "port_id"))),
    "listeners": IDS,
    "pools": IDS,
}
LISTENER = {
    **DESCRIBED,
    **_of(NUMBER, "protocol_port", "connection_limit"),
    **_of(NUMBER, *(f"timeout_{name}" for name in ("client_data", "member_connect", "member_data", "tcp_inspect"))),
    **_of(MAYBE_TEXT, "default_pool_id", "default_tls_container_ref"),
    **_of(MAYBE_TEXT, "client_ca_tls_container_ref", "client_crl_container_ref"),
    **_of(TEXT, "protocol", "client_authentication"),
    **TLS,
    **_of(FLAG, "hsts_include_subdomains", "hsts_preload"),
    **_of(IDS, "l7policies", "loadbalancers"),
    "sni_container_refs": TEXTS,
    "insert_headers": {"type": "object", "additionalProperties": TEXT},
    "allowed_cidrs": MAYBE_TEXTS,
    "hsts_max_age": MAYBE_NUMBER,
}
PERSISTENCE = fixed(
    {"type": TEXT, **_of(MAYBE_TEXT, "cookie_name", "persistence_granularity"), "persistence_timeout": MAYBE_NUMBER}
)
POOL = {
    **DESCRIBED,
    **_of(TEXT, "protocol", "lb_algorithm", "healthmonitor_id"),
    **_of(MAYBE_TEXT, "tls_container_ref", "ca_tls_container_ref", "crl_container_ref"),
    **TLS,
    **_of(IDS, "loadbalancers", "listeners", "members"),
    "session_persistence": nullable(PERSISTENCE),
    "tls_enabled": FLAG,
}
MEMBER = {
    **COMMON,
    **_of(TEXT, "address", "vnic_type"),
    **_of(MAYBE_TEXT, "subnet_id", "monitor_address"),
    **_of(NUMBER, "protocol_port", "weight"),
    "backup": FLAG,
    "monitor_port": MAYBE_NUMBER,
}
HEALTH_MONITOR = {
    **COMMON,
    "type": TEXT,
    **_of(NUMBER, "delay", "timeout", "max_retries", "max_retries_down"),
    **_of(MAYBE_TEXT, "http_method", "url_path", "expected_codes", "domain_name"),
    "http_version": nullable({"type": "number"}),
    "pools": IDS,
}
L7_POLICY = {
    **DESCRIBED,
    **_of(TEXT, "action", "listener_id"),
    **_of(MAYBE_TEXT, "redirect_pool_id", "redirect_url", "redirect_prefix"),
    "redirect_http_code": MAYBE_NUMBER,
    "position": NUMBER,
    "rules": IDS,
}
L7_RULE = {
    **{name: schema for name, schema in COMMON.items() if name != "name"},
    **_of(TEXT, "type", "compare_type", "value"),
    "key": MAYBE_TEXT,
    "invert": FLAG,
}
LIMITS = (*RESOURCES, *OLD_SPELLINGS)
AMPHORA = dict.fromkeys(SHOWN, MAYBE_TEXT) | {
    "id": TEXT,
    "cert_busy": FLAG,
    **_of(MAYBE_NUMBER, "vrrp_id", "vrrp_priority"),
}
ENTRY = _of(TEXT, "name", "description")
STATUS = {**_of(TEXT, "id", "name"), **STATUSES}
COUNTED = _of(NUMBER, *COUNTERS)
VERSION = {**_of(TEXT, "id", "status", "updated"), "links": list_of(named("Link"))}


def _without(properties: Mapping[str, Schema], *names: str) -> dict[str, Schema]:
    return {name: schema for name, schema in properties.items() if name not in names}


SCHEMAS: Mapping[str, Schema] = {
    "LoadBalancer": fixed(LOAD_BALANCER),
    "Listener": fixed(LISTENER),
    "Pool": fixed(POOL),
    "Member": fixed(MEMBER),
    "HealthMonitor": fixed(HEALTH_MONITOR),
    "L7Policy": fixed(L7_POLICY),
    "L7Rule": fixed(L7_RULE),
    "Flavor": fixed({"id": TEXT, **ENTRY, "enabled": FLAG, "flavor_profile_id": TEXT}),
    "FlavorProfile": fixed(_of(TEXT, "id", "name", "provider_name", "flavor_data")),
    "AvailabilityZone": fixed({**ENTRY, "enabled": FLAG, "availability_zone_profile_id": TEXT}),
    "AvailabilityZoneProfile": fixed(_of(TEXT, "id", "name", "provider_name", "availability_zone_data")),
    "Quota": fixed({**_of(MAYBE_TEXT, "project_id", "tenant_id"), **_of(MAYBE_NUMBER, *LIMITS)}),
    "Amphora": fixed(AMPHORA),
    "Provider": fixed(ENTRY),
    "Statistics": fixed(COUNTED),
    "AmphoraStatistics": fixed({**COUNTED, **_of(TEXT, "id", "loadbalancer_id", "listener_id")}),
    "LoadBalancerTree": fixed(LOAD_BALANCER | {"listeners": list_of(named("ListenerTree")), "pools": list_of(named("PoolTree"))}),
    "ListenerTree": fixed(_without(LISTENER, "loadbalancers") | {"l7policies": list_of(named("L7PolicyTree"))}),
    "L7PolicyTree": fixed(L7_POLICY | {"rules": list_of(named("L7Rule"))}),
    "PoolTree": fixed(
        _without(POOL, "loadbalancers", "healthmonitor_id")
        | {"members": list_of(named("Member")), "healthmonitor": nullable(named("HealthMonitor"))}
    ),
    "LoadBalancerStatus": fixed(STATUS | {"listeners": list_of(named("ListenerStatus"))}),
    "ListenerStatus": fixed(STATUS | {"pools": list_of(named("PoolStatus"))}),
    "PoolStatus": fixed(
        STATUS
        | {
            "health_monitor": nullable(fixed(STATUS | {"type": TEXT})),
            "members": list_of(fixed(STATUS | {"address": TEXT, "protocol_port": NUMBER})),
        }
    ),
    "Link": fixed(_of(TEXT, "href", "rel")),
    "Version": fixed(VERSION),
    "Fault": {
        **fixed({"faultcode": {"enum": ["Client", "Server"]}, "faultstring": TEXT, "debuginfo": {"type": "null"}}),
        "required": ["faultcode", "faultstring", "debuginfo"],
    },
    "RouterFault": {**fixed({"code": NUMBER, **_of(TEXT, "title", "description")}), "required": ["code", "title", "description"]},
    "Unauthorized": fixed({"error": fixed({"code": NUMBER, **_of(TEXT, "title", "message")})}),
}  # fmt: skip
