"""
What can be asked of the planner about a load balancer: a tenant's wishes, one class per wish.

Ids are minted by the caller, so a repeated command is recognised and changes nothing. `changes` hold only what was
sent: an unset field is left as it is.
"""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import UNSET, UnsetType

from actium_shared.ids import (
    HealthMonitorId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    PoolId,
    SecretRef,
)
from actium_shared.message import Command
from actium_shared.proposals import ObjectStatus, PackedCommand
from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7PolicyWish,
    L7Rule,
    Listener,
    LoadBalancer,
    Member,
    Pool,
    PoolWish,
    SessionPersistence,
    Value,
)


class LoadBalancerCommand(Command, frozen=True, kw_only=True):
    """Base of this module's commands."""

    SERVICE: ClassVar[str] = "planner"
    TARGET: ClassVar[str] = "load_balancer_id"

    load_balancer_id: LoadBalancerId


class CreateLoadBalancer(LoadBalancerCommand, frozen=True, kw_only=True):
    """With its whole tree where the caller sent one."""

    TYPE: ClassVar[str] = "loadbalancer.create"

    load_balancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[PoolWish, ...] = ()
    l7_policies: tuple[L7PolicyWish, ...] = ()


class LoadBalancerChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    vip_qos_policy_id: str | None | UnsetType = UNSET
    vip_sg_ids: tuple[str, ...] | UnsetType = UNSET


class UpdateLoadBalancer(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "loadbalancer.update"

    changes: LoadBalancerChanges


class DeleteLoadBalancer(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "loadbalancer.delete"

    cascade: bool = False


class FailOverLoadBalancer(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "loadbalancer.fail-over"


class SettleLoadBalancer(LoadBalancerCommand, frozen=True, kw_only=True):
    """
    An operator's word that a load balancer waits no longer: what is in flight for it has failed, for this `reason`.

    Nothing that serves is touched; the next change, or the next try, begins afresh.
    """

    TYPE: ClassVar[str] = "loadbalancer.settle"

    reason: str


class RecordDrill(LoadBalancerCommand, frozen=True, kw_only=True):
    """Put on the log what a drill has measured; see `LoadBalancerDrilled`."""

    TYPE: ClassVar[str] = "loadbalancer.record-drill"

    kind: str
    gap_ms: float
    probes: int
    failed: int = 0
    interval_ms: float = 5.0


class Propose(LoadBalancerCommand, frozen=True, kw_only=True):
    """
    Is this wish allowed, for a load balancer that another vendor's driver serves? Then the driver is asked, too.

    Whoever asks says by `SettleProposal` what the driver answered; after `timeout_s` the proposal lapses.
    """

    TYPE: ClassVar[str] = "loadbalancer.propose"

    proposal_id: str
    command: PackedCommand
    timeout_s: float = 60.0


class SettleProposal(LoadBalancerCommand, frozen=True, kw_only=True):
    """The driver took the change; or it did not (`reason`), or what it had made of a lapsed one is undone."""

    TYPE: ClassVar[str] = "loadbalancer.settle-proposal"

    proposal_id: str
    accepted: bool
    reason: str = ""


class ReportStatus(LoadBalancerCommand, frozen=True, kw_only=True):
    """What another vendor's driver says of a load balancer of its own and of what is in it."""

    TYPE: ClassVar[str] = "loadbalancer.report-status"

    statuses: tuple[ObjectStatus, ...]


class CreateListener(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "listener.create"

    listener: Listener


class ListenerChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    default_pool_id: PoolId | None | UnsetType = UNSET
    connection_limit: int | UnsetType = UNSET
    timeout_client_data_ms: int | UnsetType = UNSET
    timeout_member_connect_ms: int | UnsetType = UNSET
    timeout_member_data_ms: int | UnsetType = UNSET
    timeout_tcp_inspect_ms: int | UnsetType = UNSET
    insert_headers: Mapping[str, str] | UnsetType = UNSET
    allowed_cidrs: tuple[str, ...] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    default_tls_container_ref: SecretRef | None | UnsetType = UNSET
    sni_container_refs: tuple[SecretRef, ...] | UnsetType = UNSET
    client_ca_tls_container_ref: SecretRef | None | UnsetType = UNSET
    client_authentication: str | UnsetType = UNSET
    client_crl_container_ref: SecretRef | None | UnsetType = UNSET
    tls_ciphers: str | None | UnsetType = UNSET
    tls_versions: tuple[str, ...] | UnsetType = UNSET
    alpn_protocols: tuple[str, ...] | UnsetType = UNSET
    hsts_max_age_s: int | None | UnsetType = UNSET
    hsts_include_subdomains: bool | UnsetType = UNSET
    hsts_preload: bool | UnsetType = UNSET


class UpdateListener(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "listener.update"

    listener_id: ListenerId
    changes: ListenerChanges


class DeleteListener(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "listener.delete"

    listener_id: ListenerId


class CreatePool(LoadBalancerCommand, frozen=True, kw_only=True):
    """`listener_id`: the listener whose default pool it becomes."""

    TYPE: ClassVar[str] = "pool.create"

    pool: Pool
    listener_id: ListenerId | None = None


class PoolChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    lb_algorithm: str | UnsetType = UNSET
    session_persistence: SessionPersistence | None | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    tls_enabled: bool | UnsetType = UNSET
    tls_container_ref: SecretRef | None | UnsetType = UNSET
    ca_tls_container_ref: SecretRef | None | UnsetType = UNSET
    crl_container_ref: SecretRef | None | UnsetType = UNSET
    tls_ciphers: str | None | UnsetType = UNSET
    tls_versions: tuple[str, ...] | UnsetType = UNSET
    alpn_protocols: tuple[str, ...] | UnsetType = UNSET


class UpdatePool(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "pool.update"

    pool_id: PoolId
    changes: PoolChanges


class DeletePool(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "pool.delete"

    pool_id: PoolId


class CreateMember(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "member.create"

    pool_id: PoolId
    member: Member


class MemberChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    weight: int | UnsetType = UNSET
    backup: bool | UnsetType = UNSET
    monitor_address: str | None | UnsetType = UNSET
    monitor_port: int | None | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class UpdateMember(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "member.update"

    pool_id: PoolId
    member_id: MemberId
    changes: MemberChanges


class DeleteMember(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "member.delete"

    pool_id: PoolId
    member_id: MemberId


class BatchMember(Value, frozen=True, kw_only=True):
    """A member of a batch: `member.id` is used only when (address, port) is new; `sent` names the fields that were sent."""

    member: Member
    sent: tuple[str, ...] = ()


class ReplaceMembers(LoadBalancerCommand, frozen=True, kw_only=True):
    """Identity is (address, port). Members left out are removed, unless `additive_only`."""

    TYPE: ClassVar[str] = "member.replace-all"

    pool_id: PoolId
    members: tuple[BatchMember, ...]
    additive_only: bool = False


class CreateHealthMonitor(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "healthmonitor.create"

    pool_id: PoolId
    health_monitor: HealthMonitor


class HealthMonitorChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    delay_s: int | UnsetType = UNSET
    timeout_s: int | UnsetType = UNSET
    max_retries: int | UnsetType = UNSET
    max_retries_down: int | UnsetType = UNSET
    http_method: str | None | UnsetType = UNSET
    url_path: str | None | UnsetType = UNSET
    expected_codes: str | None | UnsetType = UNSET
    http_version: float | None | UnsetType = UNSET
    domain_name: str | None | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class UpdateHealthMonitor(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "healthmonitor.update"

    pool_id: PoolId
    health_monitor_id: HealthMonitorId
    changes: HealthMonitorChanges


class DeleteHealthMonitor(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "healthmonitor.delete"

    pool_id: PoolId
    health_monitor_id: HealthMonitorId


class CreateL7Policy(LoadBalancerCommand, frozen=True, kw_only=True):
    """At `l7_policy.position`, or at the end where that is beyond it."""

    TYPE: ClassVar[str] = "l7policy.create"

    l7_policy: L7Policy


class L7PolicyChanges(Value, frozen=True, kw_only=True):
    """The target fields imply the action where `action` is not sent."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    action: str | UnsetType = UNSET
    position: int | UnsetType = UNSET
    redirect_pool_id: PoolId | None | UnsetType = UNSET
    redirect_url: str | None | UnsetType = UNSET
    redirect_prefix: str | None | UnsetType = UNSET
    redirect_http_code: int | None | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class UpdateL7Policy(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7policy.update"

    l7_policy_id: L7PolicyId
    changes: L7PolicyChanges


class DeleteL7Policy(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7policy.delete"

    l7_policy_id: L7PolicyId


class CreateL7Rule(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7rule.create"

    l7_policy_id: L7PolicyId
    l7_rule: L7Rule


class L7RuleChanges(Value, frozen=True, kw_only=True):
    type: str | UnsetType = UNSET
    compare_type: str | UnsetType = UNSET
    key: str | None | UnsetType = UNSET
    value: str | UnsetType = UNSET
    invert: bool | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class UpdateL7Rule(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7rule.update"

    l7_policy_id: L7PolicyId
    l7_rule_id: L7RuleId
    changes: L7RuleChanges


class DeleteL7Rule(LoadBalancerCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7rule.delete"

    l7_policy_id: L7PolicyId
    l7_rule_id: L7RuleId


COMMANDS = (
    CreateLoadBalancer,
    UpdateLoadBalancer,
    DeleteLoadBalancer,
    FailOverLoadBalancer,
    SettleLoadBalancer,
    RecordDrill,
    Propose,
    SettleProposal,
    ReportStatus,
    CreateListener,
    UpdateListener,
    DeleteListener,
    CreatePool,
    UpdatePool,
    DeletePool,
    CreateMember,
    UpdateMember,
    DeleteMember,
    ReplaceMembers,
    CreateHealthMonitor,
    UpdateHealthMonitor,
    DeleteHealthMonitor,
    CreateL7Policy,
    UpdateL7Policy,
    DeleteL7Policy,
    CreateL7Rule,
    UpdateL7Rule,
    DeleteL7Rule,
)
