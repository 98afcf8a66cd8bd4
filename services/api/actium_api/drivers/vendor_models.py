"""
Our wishes as octavia-lib's data models, in its names and units. Pure.

Of secrets only references go along, and the fields for TLS data stay unset: no private key is in this process (decision 13).
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from octavia_lib.api.drivers import data_models as models

from actium_shared.ids import ListenerId, LoadBalancerId, PoolId, ProjectId
from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7PolicyWish,
    L7Rule,
    Listener,
    LoadBalancerWish,
    Member,
    Pool,
    PoolWish,
)

M = TypeVar("M")

ITS_NAMES: Mapping[str, str] = {
    "timeout_client_data_ms": "timeout_client_data",
    "timeout_member_connect_ms": "timeout_member_connect",
    "timeout_member_data_ms": "timeout_member_data",
    "timeout_tcp_inspect_ms": "timeout_tcp_inspect",
    "hsts_max_age_s": "hsts_max_age",
    "delay_s": "delay",
    "timeout_s": "timeout",
}
"""Our field -> octavia-lib's, where they differ. Tags it has none."""


def load_balancer(tree: LoadBalancerWish) -> models.LoadBalancer:
    wish = tree.load_balancer
    return models.LoadBalancer(
        loadbalancer_id=wish.id,
        project_id=wish.project_id,
        name=wish.name,
        description=wish.description,
        admin_state_up=wish.admin_state_up,
        flavor=plain(wish.flavor) if wish.flavor else models.Unset,
        availability_zone=plain(wish.availability_zone_data) if wish.availability_zone_data else models.Unset,
        vip_address=wish.vip.address,
        vip_network_id=wish.vip.network_id,
        vip_port_id=wish.vip.port_id,
        vip_subnet_id=wish.vip.subnet_id,
        vip_qos_policy_id=wish.vip_qos_policy_id,
        vip_sg_ids=list(wish.vip_sg_ids),
        additional_vips=[
            {
                "ip_address": vip.address,
                "network_id": vip.network_id,
                "port_id": vip.port_id,
                "subnet_id": vip.subnet_id,
            }
            for vip in wish.additional_vips
        ],
        listeners=[listener(each, tree) for each in tree.listeners],
        pools=[pool_with_all(each, tree) for each in tree.pools],
    )


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give data as it was in JSON: lists."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


def listener(wish: Listener, tree: LoadBalancerWish) -> models.Listener:
    default = next((each for each in tree.pools if each.pool.id == wish.default_pool_id), None)
    return models.Listener(
        listener_id=wish.id,
        loadbalancer_id=tree.load_balancer.id,
        project_id=tree.load_balancer.project_id,
        name=wish.name,
        description=wish.description,
        admin_state_up=wish.admin_state_up,
        protocol=wish.protocol,
        protocol_port=wish.protocol_port,
        connection_limit=wish.connection_limit,
        default_pool_id=wish.default_pool_id,
        default_pool=pool_with_all(default, tree) if default else models.Unset,
        l7policies=[l7_policy(each, tree) for each in tree.l7_policies if each.policy.listener_id == wish.id],
        insert_headers=dict(wish.insert_headers),
        allowed_cidrs=list(wish.allowed_cidrs),
        timeout_client_data=wish.timeout_client_data_ms,
        timeout_member_connect=wish.timeout_member_connect_ms,
        timeout_member_data=wish.timeout_member_data_ms,
        timeout_tcp_inspect=wish.timeout_tcp_inspect_ms,
        default_tls_container_ref=wish.default_tls_container_ref,
        sni_container_refs=list(wish.sni_container_refs),
        client_ca_tls_container_ref=wish.client_ca_tls_container_ref,
        client_authentication=wish.client_authentication,
        client_crl_container_ref=wish.client_crl_container_ref,
        tls_versions=list(wish.tls_versions),
        tls_ciphers=wish.tls_ciphers,
        alpn_protocols=list(wish.alpn_protocols),
        hsts_max_age=wish.hsts_max_age_s,
        hsts_include_subdomains=wish.hsts_include_subdomains,
        hsts_preload=wish.hsts_preload,
    )


def pool_with_all(wish: PoolWish, tree: LoadBalancerWish) -> models.Pool:
    """Give a pool with its members and its monitor."""
    project_id, pool_id = tree.load_balancer.project_id, wish.pool.id
    made = pool(wish.pool, of=tree.load_balancer.id, project_id=project_id)
    made.members = [member(each, pool_id, project_id) for each in wish.members]
    if wish.health_monitor is not None:
        made.healthmonitor = health_monitor(wish.health_monitor, pool_id, project_id)
    users = [each.id for each in tree.listeners if each.default_pool_id == pool_id]
    if users:
        made.listener_id = users[0]
    return made


def pool(
    wish: Pool, *, of: LoadBalancerId, project_id: ProjectId, listener_id: ListenerId | None = None
) -> models.Pool:
    kept = wish.session_persistence
    return models.Pool(
        pool_id=wish.id,
        loadbalancer_id=of,
        listener_id=listener_id or models.Unset,
        project_id=project_id,
        name=wish.name,
        description=wish.description,
        admin_state_up=wish.admin_state_up,
        protocol=wish.protocol,
        lb_algorithm=wish.lb_algorithm,
        session_persistence=None
        if kept is None
        else {
            "type": kept.type,
            "cookie_name": kept.cookie_name,
            "persistence_timeout": kept.persistence_timeout_s,
            "persistence_granularity": kept.persistence_granularity,
        },
        tls_enabled=wish.tls_enabled,
        tls_container_ref=wish.tls_container_ref,
        ca_tls_container_ref=wish.ca_tls_container_ref,
        crl_container_ref=wish.crl_container_ref,
        tls_versions=list(wish.tls_versions),
        tls_ciphers=wish.tls_ciphers,
        alpn_protocols=list(wish.alpn_protocols),
    )


def member(wish: Member, pool_id: PoolId, project_id: ProjectId) -> models.Member:
    return models.Member(
        member_id=wish.id,
        pool_id=pool_id,
        project_id=project_id,
        name=wish.name,
        admin_state_up=wish.admin_state_up,
        address=wish.address,
        protocol_port=wish.protocol_port,
        weight=wish.weight,
        backup=wish.backup,
        subnet_id=wish.subnet_id,
        monitor_address=wish.monitor_address,
        monitor_port=wish.monitor_port,
        vnic_type=wish.vnic_type,
    )


def health_monitor(wish: HealthMonitor, pool_id: PoolId, project_id: ProjectId) -> models.HealthMonitor:
    return models.HealthMonitor(
        healthmonitor_id=wish.id,
        pool_id=pool_id,
        project_id=project_id,
        name=wish.name,
        admin_state_up=wish.admin_state_up,
        type=wish.type,
        delay=wish.delay_s,
        timeout=wish.timeout_s,
        max_retries=wish.max_retries,
        max_retries_down=wish.max_retries_down,
        http_method=wish.http_method,
        url_path=wish.url_path,
        expected_codes=wish.expected_codes,
        http_version=wish.http_version,
        domain_name=wish.domain_name,
    )


def l7_policy(wish: L7PolicyWish, tree: LoadBalancerWish) -> models.L7Policy:
    made = bare_l7_policy(wish.policy, tree.load_balancer.project_id)
    made.rules = [l7_rule(each, wish.policy, tree.load_balancer.project_id) for each in wish.rules]
    return made


def bare_l7_policy(wish: L7Policy, project_id: ProjectId) -> models.L7Policy:
    """Give a policy without its rules."""
    return models.L7Policy(
        l7policy_id=wish.id,
        listener_id=wish.listener_id,
        project_id=project_id,
        name=wish.name,
        description=wish.description,
        admin_state_up=wish.admin_state_up,
        action=wish.action,
        position=wish.position,
        redirect_pool_id=wish.redirect_pool_id,
        redirect_url=wish.redirect_url,
        redirect_prefix=wish.redirect_prefix,
        redirect_http_code=wish.redirect_http_code,
    )


def l7_rule(wish: L7Rule, policy: L7Policy, project_id: ProjectId) -> models.L7Rule:
    return models.L7Rule(
        l7rule_id=wish.id,
        l7policy_id=policy.id,
        project_id=project_id,
        type=wish.type,
        compare_type=wish.compare_type,
        key=wish.key,
        value=wish.value,
        invert=wish.invert,
        admin_state_up=wish.admin_state_up,
    )


def only(whole: M, *fields: str) -> M:
    """Give an object with these fields of another, all others unset, as drivers are told of changes."""
    kept = {field: value for field in fields if (value := getattr(whole, field, models.Unset)) is not models.Unset}
    return type(whole)(**kept)
