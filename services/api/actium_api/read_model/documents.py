"""
What a reply shows of each resource: every field of the API, in plain types. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7Rule,
    Listener,
    LoadBalancer,
    Member,
    Pool,
    SessionPersistence,
)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What every resource shows beside its wish."""

    project_id: str
    load_balancer_id: str
    provisioning_status: str
    operating_status: str
    created_at: str
    updated_at: str | None


def _ids(values: Iterable[str]) -> list[Document]:
    return [{"id": value} for value in values]


def _common(shown: Shown) -> Document:
    return {
        "project_id": shown.project_id,
        "tenant_id": shown.project_id,
        "provisioning_status": shown.provisioning_status,
        "operating_status": shown.operating_status,
        "created_at": shown.created_at,
        "updated_at": shown.updated_at,
    }


def load_balancer(wish: LoadBalancer, shown: Shown, *, listeners: Sequence[str], pools: Sequence[str]) -> Document:
    return {
        "id": wish.id,
        "name": wish.name,
        "description": wish.description,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "vip_address": wish.vip.address,
        "vip_port_id": wish.vip.port_id,
        "vip_subnet_id": wish.vip.subnet_id,
        "vip_network_id": wish.vip.network_id,
        "vip_sg_ids": list(wish.vip_sg_ids),
        "additional_vips": [
            {"subnet_id": vip.subnet_id, "ip_address": vip.address, "port_id": vip.port_id}
            for vip in wish.additional_vips
        ],
        "listeners": _ids(listeners),
        "pools": _ids(pools),
        "provider": wish.provider,
        "flavor_id": wish.flavor_id,
        "vip_qos_policy_id": wish.vip_qos_policy_id,
        "tags": list(wish.tags),
        "availability_zone": wish.availability_zone,
        "vip_vnic_type": wish.vip_vnic_type,
    }


def listener(wish: Listener, shown: Shown, *, l7_policies: Sequence[str]) -> Document:
    return {
        "id": wish.id,
        "name": wish.name,
        "description": wish.description,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "protocol": wish.protocol,
        "protocol_port": wish.protocol_port,
        "connection_limit": wish.connection_limit,
        "default_tls_container_ref": wish.default_tls_container_ref,
        "sni_container_refs": list(wish.sni_container_refs),
        "default_pool_id": wish.default_pool_id,
        "l7policies": _ids(l7_policies),
        "insert_headers": dict(wish.insert_headers),
        "loadbalancers": _ids([shown.load_balancer_id]),
        "timeout_client_data": wish.timeout_client_data_ms,
        "timeout_member_connect": wish.timeout_member_connect_ms,
        "timeout_member_data": wish.timeout_member_data_ms,
        "timeout_tcp_inspect": wish.timeout_tcp_inspect_ms,
        "tags": list(wish.tags),
        "client_ca_tls_container_ref": wish.client_ca_tls_container_ref,
        "client_authentication": wish.client_authentication,
        "client_crl_container_ref": wish.client_crl_container_ref,
        "allowed_cidrs": list(wish.allowed_cidrs) or None,
        **_tls(wish),
        "hsts_max_age": wish.hsts_max_age_s,
        "hsts_include_subdomains": wish.hsts_include_subdomains,
        "hsts_preload": wish.hsts_preload,
    }


def pool(
    wish: Pool, shown: Shown, *, listeners: Sequence[str], members: Sequence[str], health_monitor_id: str | None
) -> Document:
    document = {
        "id": wish.id,
        "name": wish.name,
        "description": wish.description,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "protocol": wish.protocol,
        "lb_algorithm": wish.lb_algorithm,
        "session_persistence": _persistence(wish.session_persistence),
        "loadbalancers": _ids([shown.load_balancer_id]),
        "listeners": _ids(listeners),
        "members": _ids(members),
        "tags": list(wish.tags),
        "tls_container_ref": wish.tls_container_ref,
        "ca_tls_container_ref": wish.ca_tls_container_ref,
        "crl_container_ref": wish.crl_container_ref,
        "tls_enabled": wish.tls_enabled,
        **_tls(wish),
    }
    if health_monitor_id is not None:  # the API leaves the field out otherwise
        document["healthmonitor_id"] = health_monitor_id
    return document


def _tls(wish: Listener | Pool) -> Document:
    return {
        "tls_ciphers": wish.tls_ciphers,
        "tls_versions": list(wish.tls_versions) or None,
        "alpn_protocols": list(wish.alpn_protocols) or None,
    }


def _persistence(wish: SessionPersistence | None) -> Document | None:
    if wish is None:
        return None
    return {
        "type": wish.type,
        "cookie_name": wish.cookie_name,
        "persistence_timeout": wish.persistence_timeout_s,
        "persistence_granularity": wish.persistence_granularity,
    }


def member(wish: Member, shown: Shown) -> Document:
    return {
        "id": wish.id,
        "name": wish.name,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "address": wish.address,
        "protocol_port": wish.protocol_port,
        "weight": wish.weight,
        "backup": wish.backup,
        "subnet_id": wish.subnet_id,
        "monitor_address": wish.monitor_address,
        "monitor_port": wish.monitor_port,
        "tags": list(wish.tags),
        "vnic_type": wish.vnic_type,
    }


def health_monitor(wish: HealthMonitor, shown: Shown, *, pool_id: str) -> Document:
    return {
        "id": wish.id,
        "name": wish.name,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "type": wish.type,
        "delay": wish.delay_s,
        "timeout": wish.timeout_s,
        "max_retries": wish.max_retries,
        "max_retries_down": wish.max_retries_down,
        "http_method": wish.http_method,
        "url_path": wish.url_path,
        "expected_codes": wish.expected_codes,
        "pools": _ids([pool_id]),
        "tags": list(wish.tags),
        "http_version": wish.http_version,
        "domain_name": wish.domain_name,
    }


def l7_policy(wish: L7Policy, shown: Shown, *, position: int, rules: Sequence[str]) -> Document:
    return {
        "id": wish.id,
        "name": wish.name,
        "description": wish.description,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "action": wish.action,
        "listener_id": wish.listener_id,
        "redirect_pool_id": wish.redirect_pool_id,
        "redirect_url": wish.redirect_url,
        "redirect_prefix": wish.redirect_prefix,
        "redirect_http_code": wish.redirect_http_code,
        "position": position,
        "rules": _ids(rules),
        "tags": list(wish.tags),
    }


def l7_rule(wish: L7Rule, shown: Shown) -> Document:
    return {
        "id": wish.id,
        "type": wish.type,
        "compare_type": wish.compare_type,
        "key": wish.key,
        "value": wish.value,
        "invert": wish.invert,
        "admin_state_up": wish.admin_state_up,
        **_common(shown),
        "tags": list(wish.tags),
    }


def load_balancer_tree(
    load_balancer: Document, *, listeners: Sequence[Document], pools: Sequence[Document], children: Sequence[Document]
) -> Document:
    """Give the reply to a create: the load balancer with everything in it. `children`: all that is neither listener nor pool."""
    by_id = {child["id"]: child for child in children}
    return load_balancer | {
        "listeners": [_listener_tree(listener, by_id) for listener in listeners],
        "pools": [_pool_tree(pool, by_id) for pool in pools],
    }


def _listener_tree(listener: Document, by_id: dict[str, Document]) -> Document:
    policies = [by_id[policy["id"]] for policy in listener["l7policies"] if policy["id"] in by_id]
    return _without(listener, "loadbalancers") | {
        "l7policies": [
            policy | {"rules": [by_id[rule["id"]] for rule in policy["rules"] if rule["id"] in by_id]}
            for policy in policies
        ]
    }


def _pool_tree(pool: Document, by_id: dict[str, Document]) -> Document:
    monitor = by_id.get(pool.get("healthmonitor_id", ""))
    return _without(pool, "loadbalancers", "healthmonitor_id") | {
        "members": [by_id[member["id"]] for member in pool["members"] if member["id"] in by_id],
        "healthmonitor": None if monitor is None else _without(monitor, "pools"),
    }


def _without(document: Document, *names: str) -> Document:
    return {name: value for name, value in document.items() if name not in names}


STATUS_FIELDS = ("id", "name", "provisioning_status", "operating_status")


def status_tree(
    load_balancer: Document, *, listeners: Sequence[Document], pools: Sequence[Document], children: Sequence[Document]
) -> Document:
    """Give the reply of `/status`: pools stand under the listeners that use them, others are not shown."""
    by_id = {child["id"]: child for child in children}
    return _status(load_balancer) | {
        "listeners": [
            _status(listener) | {"pools": [_pool_status(pool, by_id) for pool in _pools_of(listener, pools)]}
            for listener in listeners
        ]
    }


def _pools_of(listener: Document, pools: Sequence[Document]) -> list[Document]:
    """Give the pools that the listener uses, its default pool first."""
    used = [pool for pool in pools if {"id": listener["id"]} in pool["listeners"]]
    return sorted(used, key=lambda pool: pool["id"] != listener["default_pool_id"])


def _status(document: Document, *more: str) -> Document:
    return {name: document[name] for name in (*STATUS_FIELDS, *more)}


def _pool_status(pool: Document, by_id: dict[str, Document]) -> Document:
    monitor = by_id.get(pool.get("healthmonitor_id", ""))
    return _status(pool) | {
        "health_monitor": None if monitor is None else _status(monitor, "type"),
        "members": [
            _status(by_id[member["id"]], "address", "protocol_port")
            for member in pool["members"]
            if member["id"] in by_id
        ],
    }
