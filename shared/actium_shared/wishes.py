"""
What a tenant wishes for, as values: the load balancer's tree.

Commands carry them to the planner, events record them, and a bundle order hands them to compute: one
class per noun everywhere inside. Field names are the storage format. Times are milliseconds unless named.
"""

from collections.abc import Mapping

import msgspec

from actium_shared.ids import (
    HealthMonitorId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    PoolId,
    PortId,
    ProjectId,
    SecretRef,
    SubnetId,
)

NORMAL = "normal"
SRIOV = "direct"
"""Types of ports: one that is switched, and one that is an SR-IOV virtual function."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all value types: immutable, compared by content."""


class Vip(Value, frozen=True, kw_only=True):
    """
    One virtual address as the network service reserved it, or another vendor's driver made it.

    The latter's `address` is empty for as long as the driver has not been asked.
    """

    address: str
    prefix_length: int
    port_id: PortId
    subnet_id: SubnetId
    network_id: NetworkId
    gateway: str | None = None


class Listener(Value, frozen=True, kw_only=True):
    """A port on the VIPs and how traffic on it is treated."""

    id: ListenerId
    protocol: str
    protocol_port: int
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    default_pool_id: PoolId | None = None
    connection_limit: int = -1
    timeout_client_data_ms: int = 50_000
    timeout_member_connect_ms: int = 5_000
    timeout_member_data_ms: int = 50_000
    timeout_tcp_inspect_ms: int = 0
    insert_headers: Mapping[str, str] = {}
    allowed_cidrs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    default_tls_container_ref: SecretRef | None = None
    sni_container_refs: tuple[SecretRef, ...] = ()
    client_ca_tls_container_ref: SecretRef | None = None
    client_authentication: str = "NONE"
    client_crl_container_ref: SecretRef | None = None
    tls_ciphers: str | None = None
    tls_versions: tuple[str, ...] = ()
    alpn_protocols: tuple[str, ...] = ()
    hsts_max_age_s: int | None = None
    hsts_include_subdomains: bool = False
    hsts_preload: bool = False

    @property
    def secret_refs(self) -> frozenset[SecretRef]:
        """Every secret that is named, whether it is needed now or not."""
        named = (self.default_tls_container_ref, self.client_ca_tls_container_ref, self.client_crl_container_ref)
        return frozenset(ref for ref in (*named, *self.sni_container_refs) if ref)


class L7Policy(Value, frozen=True, kw_only=True):
    """What a listener does with requests that all its rules match; `position` counts from 1, without gaps."""

    id: L7PolicyId
    listener_id: ListenerId
    action: str
    position: int
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    redirect_pool_id: PoolId | None = None
    redirect_url: str | None = None
    redirect_prefix: str | None = None
    redirect_http_code: int | None = None
    tags: tuple[str, ...] = ()


class L7Rule(Value, frozen=True, kw_only=True):
    """What a request must look like."""

    id: L7RuleId
    type: str
    compare_type: str
    value: str
    key: str | None = None
    invert: bool = False
    admin_state_up: bool = True
    tags: tuple[str, ...] = ()


class SessionPersistence(Value, frozen=True, kw_only=True):
    """How a client is kept on its member."""

    type: str
    cookie_name: str | None = None
    persistence_timeout_s: int | None = None
    persistence_granularity: str | None = None


class Member(Value, frozen=True, kw_only=True):
    """A server that answers."""

    id: MemberId
    address: str
    protocol_port: int
    name: str = ""
    admin_state_up: bool = True
    weight: int = 1
    backup: bool = False
    subnet_id: SubnetId | None = None
    monitor_address: str | None = None
    monitor_port: int | None = None
    tags: tuple[str, ...] = ()
    vnic_type: str = NORMAL


class HealthMonitor(Value, frozen=True, kw_only=True):
    """How a pool's members are checked."""

    id: HealthMonitorId
    type: str
    delay_s: int
    timeout_s: int
    max_retries: int
    name: str = ""
    max_retries_down: int = 3
    http_method: str | None = None
    url_path: str | None = None
    expected_codes: str | None = None
    http_version: float | None = None
    domain_name: str | None = None
    admin_state_up: bool = True
    tags: tuple[str, ...] = ()


class Pool(Value, frozen=True, kw_only=True):
    """Members that serve together, less the members: those are in `PoolWish`."""

    id: PoolId
    protocol: str
    lb_algorithm: str
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    session_persistence: SessionPersistence | None = None
    tags: tuple[str, ...] = ()
    tls_enabled: bool = False
    tls_container_ref: SecretRef | None = None
    ca_tls_container_ref: SecretRef | None = None
    crl_container_ref: SecretRef | None = None
    tls_ciphers: str | None = None
    tls_versions: tuple[str, ...] = ()
    alpn_protocols: tuple[str, ...] = ()

    @property
    def secret_refs(self) -> frozenset[SecretRef]:
        """Every secret that is named, whether it is needed now or not."""
        named = (self.tls_container_ref, self.ca_tls_container_ref, self.crl_container_ref)
        return frozenset(ref for ref in named if ref)


class LoadBalancer(Value, frozen=True, kw_only=True):
    """A load balancer's own properties, less its children."""

    id: LoadBalancerId
    project_id: ProjectId
    vip: Vip
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    provider: str = "actium"
    flavor_id: str | None = None
    flavor: Mapping[str, str | int | bool | tuple[str, ...]] = {}
    availability_zone: str | None = None
    additional_vips: tuple[Vip, ...] = ()
    tags: tuple[str, ...] = ()
    availability_zone_data: Mapping[str, str | int | bool | tuple[str, ...]] = {}
    vip_qos_policy_id: str | None = None
    vip_sg_ids: tuple[str, ...] = ()
    vip_vnic_type: str = NORMAL


class PoolWish(Value, frozen=True, kw_only=True):
    """A pool with everything in it."""

    pool: Pool
    members: tuple[Member, ...] = ()
    health_monitor: HealthMonitor | None = None


class L7PolicyWish(Value, frozen=True, kw_only=True):
    """A policy with its rules."""

    policy: L7Policy
    rules: tuple[L7Rule, ...] = ()


class LoadBalancerWish(Value, frozen=True, kw_only=True):
    """A whole load balancer as it shall be; `generation` counts the wishes of this load balancer from 1."""

    generation: int
    load_balancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[PoolWish, ...] = ()
    l7_policies: tuple[L7PolicyWish, ...] = ()
    """By listener and position."""
