"""
octavia-lib's objects as the JSON of Actium's commands. Pure.

What is unset is left out, and has Actium's default or stays as it was; null, where Actium knows no null, is the default.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from octavia_lib.api.drivers.data_models import BaseDataModel, Unset

Body = dict[str, Any]
NULL = object()
"""The field may be null."""

Names = Mapping[str, tuple[str, object]]
"""octavia-lib's field -> ours, and what null means there."""

LOAD_BALANCER: Names = {
    "name": ("name", ""),
    "description": ("description", ""),
    "admin_state_up": ("admin_state_up", True),
    "vip_qos_policy_id": ("vip_qos_policy_id", NULL),
    "vip_sg_ids": ("vip_sg_ids", []),
}
LISTENER: Names = {
    "protocol": ("protocol", NULL),
    "protocol_port": ("protocol_port", NULL),
    "name": ("name", ""),
    "description": ("description", ""),
    "admin_state_up": ("admin_state_up", True),
    "default_pool_id": ("default_pool_id", NULL),
    "connection_limit": ("connection_limit", -1),
    "timeout_client_data": ("timeout_client_data_ms", 50_000),
    "timeout_member_connect": ("timeout_member_connect_ms", 5_000),
    "timeout_member_data": ("timeout_member_data_ms", 50_000),
    "timeout_tcp_inspect": ("timeout_tcp_inspect_ms", 0),
    "insert_headers": ("insert_headers", {}),
    "allowed_cidrs": ("allowed_cidrs", []),
    "default_tls_container_ref": ("default_tls_container_ref", NULL),
    "sni_container_refs": ("sni_container_refs", []),
    "client_ca_tls_container_ref": ("client_ca_tls_container_ref", NULL),
    "client_authentication": ("client_authentication", "NONE"),
    "client_crl_container_ref": ("client_crl_container_ref", NULL),
    "tls_ciphers": ("tls_ciphers", NULL),
    "tls_versions": ("tls_versions", []),
    "alpn_protocols": ("alpn_protocols", []),
    "hsts_max_age": ("hsts_max_age_s", NULL),
    "hsts_include_subdomains": ("hsts_include_subdomains", False),
    "hsts_preload": ("hsts_preload", False),
}
POOL: Names = {
    "protocol": ("protocol", NULL),
    "lb_algorithm": ("lb_algorithm", NULL),
    "name": ("name", ""),
    "description": ("description", ""),
    "admin_state_up": ("admin_state_up", True),
    "session_persistence": ("session_persistence", NULL),
    "tls_enabled": ("tls_enabled", False),
    "tls_container_ref": ("tls_container_ref", NULL),
    "ca_tls_container_ref": ("ca_tls_container_ref", NULL),
    "crl_container_ref": ("crl_container_ref", NULL),
    "tls_ciphers": ("tls_ciphers", NULL),
    "tls_versions": ("tls_versions", []),
    "alpn_protocols": ("alpn_protocols", []),
}
MEMBER: Names = {
    "address": ("address", NULL),
    "protocol_port": ("protocol_port", NULL),
    "name": ("name", ""),
    "admin_state_up": ("admin_state_up", True),
    "weight": ("weight", 1),
    "backup": ("backup", False),
    "subnet_id": ("subnet_id", NULL),
    "monitor_address": ("monitor_address", NULL),
    "monitor_port": ("monitor_port", NULL),
    "vnic_type": ("vnic_type", "normal"),
}
HEALTH_MONITOR: Names = {
    "type": ("type", NULL),
    "delay": ("delay_s", NULL),
    "timeout": ("timeout_s", NULL),
    "max_retries": ("max_retries", NULL),
    "max_retries_down": ("max_retries_down", 3),
    "name": ("name", ""),
    "http_method": ("http_method", NULL),
    "url_path": ("url_path", NULL),
    "expected_codes": ("expected_codes", NULL),
    "http_version": ("http_version", NULL),
    "domain_name": ("domain_name", NULL),
    "admin_state_up": ("admin_state_up", True),
}
L7_POLICY: Names = {
    "listener_id": ("listener_id", NULL),
    "action": ("action", NULL),
    "position": ("position", 2**31 - 1),
    "name": ("name", ""),
    "description": ("description", ""),
    "admin_state_up": ("admin_state_up", True),
    "redirect_pool_id": ("redirect_pool_id", NULL),
    "redirect_url": ("redirect_url", NULL),
    "redirect_prefix": ("redirect_prefix", NULL),
    "redirect_http_code": ("redirect_http_code", NULL),
}
L7_RULE: Names = {
    "type": ("type", NULL),
    "compare_type": ("compare_type", NULL),
    "value": ("value", NULL),
    "key": ("key", NULL),
    "invert": ("invert", False),
    "admin_state_up": ("admin_state_up", True),
}


def set_fields(model: BaseDataModel, names: Names) -> Body:
    """Give what is set of these fields, in our names."""
    found = {}
    for its, (ours, default) in names.items():
        value = getattr(model, its, Unset)
        if value is Unset:
            continue
        if value is None and default is not NULL:
            value = default
        found[ours] = _persistence(value) if its == "session_persistence" else value
    return found


def changes(model: BaseDataModel, names: Names, *, fixed: tuple[str, ...] = ()) -> Body:
    """Give what is set of what can be changed."""
    return set_fields(model, {its: ours for its, ours in names.items() if its not in fixed})


def load_balancer(model: Any, vip: Mapping[str, Any], additional_vips: list[Any]) -> Body:
    """Give the body that creates a load balancer with all that is in it."""
    flavor, zone = _data(model.flavor), _data(model.availability_zone)
    balancer = {
        "id": model.loadbalancer_id,
        "project_id": model.project_id,
        "vip": vip,
        "additional_vips": additional_vips,
        "flavor": flavor,
        "availability_zone_data": zone,
        **set_fields(model, LOAD_BALANCER),
    }
    listeners = _items(model.listeners)
    policies = [policy for each in listeners for policy in _items(each.l7policies)]
    return {
        "load_balancer_id": model.loadbalancer_id,
        "load_balancer": balancer,
        "listeners": [listener(each) for each in listeners],
        "pools": [pool_with_all(each) for each in _pools(model, listeners)],
        "l7_policies": [
            {"policy": l7_policy(each), "rules": [l7_rule(rule) for rule in _items(each.rules)]} for each in policies
        ],
    }


def listener(model: Any) -> Body:
    return {"id": model.listener_id, **set_fields(model, LISTENER)}


def pool(model: Any) -> Body:
    return {"id": model.pool_id, **set_fields(model, POOL)}


def pool_with_all(model: Any) -> Body:
    monitor = None if model.healthmonitor in (Unset, None) else health_monitor(model.healthmonitor)
    members = [member(each) for each in _items(model.members)]
    return {"pool": pool(model), "members": members, "health_monitor": monitor}


def member(model: Any) -> Body:
    return {"id": model.member_id, **set_fields(model, MEMBER)}


def health_monitor(model: Any) -> Body:
    return {"id": model.healthmonitor_id, **set_fields(model, HEALTH_MONITOR)}


def l7_policy(model: Any) -> Body:
    return {"id": model.l7policy_id, **set_fields(model, L7_POLICY)}


def l7_rule(model: Any) -> Body:
    return {"id": model.l7rule_id, **set_fields(model, L7_RULE)}


def _pools(model: Any, listeners: list[Any]) -> Iterator[Any]:
    """Give each pool once; some stand only where they are a listener's default."""
    defaults = [each.default_pool for each in listeners if each.default_pool not in (Unset, None)]
    by_id = {each.pool_id: each for each in (*_items(model.pools), *defaults)}
    yield from by_id.values()


def _persistence(value: Any) -> Body | None:
    if not value:
        return None
    ours = {
        "type": value["type"],
        "cookie_name": value.get("cookie_name"),
        "persistence_timeout_s": value.get("persistence_timeout"),
        "persistence_granularity": value.get("persistence_granularity"),
    }
    return {name: each for name, each in ours.items() if each is not None}


def _items(value: Any) -> list[Any]:
    return [] if value in (Unset, None) else list(value)


def _data(value: Any) -> Body:
    return {} if value in (Unset, None) else dict(value)
