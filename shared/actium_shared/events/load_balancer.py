"""
What happens to a load balancer and its children: one aggregate, written by the planner.

Field names are the storage format. `generation` is the number of the wish that the event belongs to; all events of
one commit share it. A child is pending from the event that changed it until a round ends that holds that generation.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from actium_shared.ids import (
    ApplianceId,
    HealthMonitorId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    PoolId,
    ProjectId,
)
from actium_shared.message import Event
from actium_shared.proposals import ObjectStatus, PackedCommand
from actium_shared.wishes import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool


class LoadBalancerEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""

    load_balancer_id: LoadBalancerId


class LoadBalancerCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    """`appliance_id` is the one that it shall share; without, it gets its own. That appliance's admission decides."""

    TYPE: ClassVar[str] = "loadbalancer.created"

    generation: int
    load_balancer: LoadBalancer
    appliance_id: ApplianceId | None = None


class LoadBalancerUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    """`load_balancer` is the whole new value."""

    TYPE: ClassVar[str] = "loadbalancer.updated"

    generation: int
    load_balancer: LoadBalancer


class LoadBalancerDeletionRequested(LoadBalancerEvent, frozen=True, kw_only=True):
    """From here on every other wish is refused; children go with it. Not done by `deadline_at`: delayed."""

    TYPE: ClassVar[str] = "loadbalancer.deletion-requested"

    generation: int
    deadline_at: datetime | None = None


class LoadBalancerDeletionDelayed(LoadBalancerEvent, frozen=True, kw_only=True):
    """The deletion is not done in time: shown as ERROR with `reason`, which is for people. The work goes on."""

    TYPE: ClassVar[str] = "loadbalancer.deletion-delayed"

    generation: int
    reason: str


class LoadBalancerDeleted(LoadBalancerEvent, frozen=True, kw_only=True):
    """Nothing of it serves or exists any more."""

    TYPE: ClassVar[str] = "loadbalancer.deleted"


class LoadBalancerPlaced(LoadBalancerEvent, frozen=True, kw_only=True):
    """An appliance carries it."""

    TYPE: ClassVar[str] = "loadbalancer.placed"

    appliance_id: ApplianceId


class LoadBalancerWithdrawn(LoadBalancerEvent, frozen=True, kw_only=True):
    """No appliance carries it any more; its addresses can be given back."""

    TYPE: ClassVar[str] = "loadbalancer.withdrawn"


class RoundBegun(LoadBalancerEvent, frozen=True, kw_only=True):
    """Wishes made while the last round ran are on their way, up to `generation`."""

    TYPE: ClassVar[str] = "loadbalancer.round-begun"

    generation: int


class RoundEnded(LoadBalancerEvent, frozen=True, kw_only=True):
    """Every amphora in service runs the wishes up to `generation`."""

    TYPE: ClassVar[str] = "loadbalancer.round-ended"

    generation: int


class RoundFailed(LoadBalancerEvent, frozen=True, kw_only=True):
    """The wishes up to `generation` could not be applied; what served before still does. `reason` is for people."""

    TYPE: ClassVar[str] = "loadbalancer.round-failed"

    generation: int
    reason: str


class LoadBalancerFailoverRequested(LoadBalancerEvent, frozen=True, kw_only=True):
    """What carries it shall be exchanged for another."""

    TYPE: ClassVar[str] = "loadbalancer.failover-requested"

    generation: int


class ChangeProposed(LoadBalancerEvent, frozen=True, kw_only=True):
    """
    A valid wish that another vendor's driver is asked about; it does not count yet, and nobody sees it.

    `growth` is held in the project's quota meanwhile, by resource. Not settled by `deadline_at`: lapsed.
    """

    TYPE: ClassVar[str] = "loadbalancer.proposed"

    proposal_id: str
    provider: str
    project_id: ProjectId
    command: PackedCommand
    deadline_at: datetime
    growth: Mapping[str, int] = {}
    flavor_id: str | None = None
    availability_zone: str | None = None


class ProposalSettled(LoadBalancerEvent, frozen=True, kw_only=True):
    """
    The driver took the change, and what happens then stands behind this in the same commit; or it did not, or has undone
    it, for a reason in words. It is expected to have reported by `report_by`.
    """

    TYPE: ClassVar[str] = "loadbalancer.proposal-settled"

    proposal_id: str
    accepted: bool
    reason: str = ""
    report_by: datetime | None = None


class LoadBalancerSettled(LoadBalancerEvent, frozen=True, kw_only=True):
    """An operator's word: what is in flight for it has failed, for this `reason`, and it waits for nothing any longer."""

    TYPE: ClassVar[str] = "loadbalancer.settled"

    reason: str


class LoadBalancerDrilled(LoadBalancerEvent, frozen=True, kw_only=True):
    """
    What carries it was exchanged for practice; its client noticed so much of it.

    `kind` is planned or kill. There were so many `probes`, `interval_ms` apart; `gap_ms` is the longest time between two
    good answers.
    """

    TYPE: ClassVar[str] = "loadbalancer.drilled"

    kind: str
    gap_ms: float
    probes: int
    failed: int = 0
    interval_ms: float = 5.0


class ProposalLapsed(LoadBalancerEvent, frozen=True, kw_only=True):
    """Nobody said in time what the driver answered: what it may have created is to be deleted there."""

    TYPE: ClassVar[str] = "loadbalancer.proposal-lapsed"

    proposal_id: str
    reason: str


class StatusReported(LoadBalancerEvent, frozen=True, kw_only=True):
    """What another vendor's driver says of its objects, as far as it is new. One that is DELETED exists no more."""

    TYPE: ClassVar[str] = "loadbalancer.status-reported"

    statuses: tuple[ObjectStatus, ...]


class ReportKept(LoadBalancerEvent, frozen=True, kw_only=True):
    """What the driver said while it was asked about a change: it counts when that is settled or has lapsed."""

    TYPE: ClassVar[str] = "loadbalancer.report-kept"

    proposal_id: str
    statuses: tuple[ObjectStatus, ...]


class ProviderFailed(LoadBalancerEvent, frozen=True, kw_only=True):
    """Another vendor's driver left open what became of the wishes up to `generation`: shown as ERROR until it reports."""

    TYPE: ClassVar[str] = "loadbalancer.provider-failed"

    generation: int
    reason: str


class ListenerCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "listener.created"

    generation: int
    listener: Listener


class ListenerUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "listener.updated"

    generation: int
    listener: Listener


class ListenerRemoved(LoadBalancerEvent, frozen=True, kw_only=True):
    """
    No longer wished for; gone when a round that holds `generation` ends. The same for all `*.removed`.

    Its L7 policies and their rules go with it.
    """

    TYPE: ClassVar[str] = "listener.removed"

    generation: int
    listener_id: ListenerId


class PoolCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "pool.created"

    generation: int
    pool: Pool


class PoolUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "pool.updated"

    generation: int
    pool: Pool


class PoolRemoved(LoadBalancerEvent, frozen=True, kw_only=True):
    """Its members and its monitor go with it; listeners that used it by default are updated in the same commit."""

    TYPE: ClassVar[str] = "pool.removed"

    generation: int
    pool_id: PoolId


class MemberCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "member.created"

    generation: int
    pool_id: PoolId
    member: Member


class MemberUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "member.updated"

    generation: int
    pool_id: PoolId
    member: Member


class MemberRemoved(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "member.removed"

    generation: int
    pool_id: PoolId
    member_id: MemberId


class HealthMonitorCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "healthmonitor.created"

    generation: int
    pool_id: PoolId
    health_monitor: HealthMonitor


class HealthMonitorUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "healthmonitor.updated"

    generation: int
    pool_id: PoolId
    health_monitor: HealthMonitor


class HealthMonitorRemoved(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "healthmonitor.removed"

    generation: int
    pool_id: PoolId
    health_monitor_id: HealthMonitorId


class L7PolicyCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7policy.created"

    generation: int
    l7_policy: L7Policy


class L7PolicyUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7policy.updated"

    generation: int
    l7_policy: L7Policy


class L7PolicyRemoved(LoadBalancerEvent, frozen=True, kw_only=True):
    """Its rules go with it."""

    TYPE: ClassVar[str] = "l7policy.removed"

    generation: int
    listener_id: ListenerId
    l7_policy_id: L7PolicyId


class L7PoliciesOrdered(LoadBalancerEvent, frozen=True, kw_only=True):
    """
    All policies of a listener in the order that they are tried; positions count from 1.

    Follows a change of policies in the same commit where one that stays has moved. It makes none of them pending.
    """

    TYPE: ClassVar[str] = "l7policy.ordered"

    generation: int
    listener_id: ListenerId
    l7_policy_ids: tuple[L7PolicyId, ...]


class L7RuleCreated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7rule.created"

    generation: int
    l7_policy_id: L7PolicyId
    l7_rule: L7Rule


class L7RuleUpdated(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7rule.updated"

    generation: int
    l7_policy_id: L7PolicyId
    l7_rule: L7Rule


class L7RuleRemoved(LoadBalancerEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "l7rule.removed"

    generation: int
    l7_policy_id: L7PolicyId
    l7_rule_id: L7RuleId


EVENTS = (
    LoadBalancerCreated,
    LoadBalancerUpdated,
    LoadBalancerDeletionRequested,
    LoadBalancerDeletionDelayed,
    LoadBalancerDeleted,
    LoadBalancerPlaced,
    LoadBalancerWithdrawn,
    RoundBegun,
    RoundEnded,
    RoundFailed,
    LoadBalancerFailoverRequested,
    ChangeProposed,
    ProposalSettled,
    LoadBalancerSettled,
    LoadBalancerDrilled,
    ProposalLapsed,
    StatusReported,
    ReportKept,
    ProviderFailed,
    ListenerCreated,
    ListenerUpdated,
    ListenerRemoved,
    PoolCreated,
    PoolUpdated,
    PoolRemoved,
    MemberCreated,
    MemberUpdated,
    MemberRemoved,
    HealthMonitorCreated,
    HealthMonitorUpdated,
    HealthMonitorRemoved,
    L7PolicyCreated,
    L7PolicyUpdated,
    L7PolicyRemoved,
    L7PoliciesOrdered,
    L7RuleCreated,
    L7RuleUpdated,
    L7RuleRemoved,
)
