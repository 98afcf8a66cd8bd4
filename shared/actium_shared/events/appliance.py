"""
What happens to an appliance: the amphorae that act as one, and the load balancers that they carry. Written by the planner.

Field names are the storage format. Bundles are counted from 1; `holds` says which wish (generation) of which load
balancer a bundle contains.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, ProjectId, SparesId, SubnetId
from actium_shared.message import Event


class ApplianceEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""

    appliance_id: ApplianceId


class ApplianceCreated(ApplianceEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "appliance.created"

    project_id: ProjectId
    topology: str
    image_tag: str
    flavor: Mapping[str, str | int | bool] = {}


class LoadBalancerAdmitted(ApplianceEvent, frozen=True, kw_only=True):
    """The appliance carries the load balancer from its next bundle on."""

    TYPE: ClassVar[str] = "appliance.load-balancer-admitted"

    load_balancer_id: LoadBalancerId


class LoadBalancerReleased(ApplianceEvent, frozen=True, kw_only=True):
    """The appliance carries it no more: the bundle in force does not hold it."""

    TYPE: ClassVar[str] = "appliance.load-balancer-released"

    load_balancer_id: LoadBalancerId


class AmphoraAppointed(ApplianceEvent, frozen=True, kw_only=True):
    """
    A new amphora shall join; ports are named here and made by the network service.

    `attempt` counts from 1; one that has not joined by `deadline_at` is dismissed. `spare`: it runs already, handed out by
    its pool, and only a VIP port and a configuration are new to it; `host` is then known. `replaces` shall leave once the
    new one can serve. It shall not come to one of `avoid_hosts`.
    """

    TYPE: ClassVar[str] = "appliance.amphora-appointed"

    amphora_id: AmphoraId
    role: str
    attempt: int
    management_port_id: PortId
    vip_port_id: PortId
    vip_subnet_id: SubnetId
    deadline_at: datetime
    spare: bool = False
    host: str = ""
    replaces: AmphoraId | None = None
    avoid_hosts: tuple[str, ...] = ()


class AmphoraJoined(ApplianceEvent, frozen=True, kw_only=True):
    """It booted and is in service: bundles wait for it."""

    TYPE: ClassVar[str] = "appliance.amphora-joined"

    amphora_id: AmphoraId
    host: str = ""


class AmphoraDismissed(ApplianceEvent, frozen=True, kw_only=True):
    """It shall go: no bundle waits for it, and compute and network clear it away."""

    TYPE: ClassVar[str] = "appliance.amphora-dismissed"

    amphora_id: AmphoraId
    reason: str


class AmphoraFenced(ApplianceEvent, frozen=True, kw_only=True):
    """Nothing that a dismissed amphora sends arrives anywhere any more: another one may take its addresses."""

    TYPE: ClassVar[str] = "appliance.amphora-fenced"

    amphora_id: AmphoraId


class AmphoraLeaving(ApplianceEvent, frozen=True, kw_only=True):
    """It shall be replaced without loss of traffic, and serves until then; pairs replace one after the other."""

    TYPE: ClassVar[str] = "appliance.amphora-leaving"

    amphora_id: AmphoraId
    reason: str


class AmphoraYielding(ApplianceEvent, frozen=True, kw_only=True):
    """It is told to let its partner be master, before it is dismissed; no later than `deadline_at`, whatever it says."""

    TYPE: ClassVar[str] = "appliance.amphora-yielding"

    amphora_id: AmphoraId
    deadline_at: datetime


class MasterChanged(ApplianceEvent, frozen=True, kw_only=True):
    """By its own word an amphora of a pair became MASTER, or ceased to be: BACKUP, FAULT."""

    TYPE: ClassVar[str] = "appliance.master-changed"

    amphora_id: AmphoraId
    role: str


class SpareSought(ApplianceEvent, frozen=True, kw_only=True):
    """A pool of spares is asked for an amphora that is not on one of `avoid_hosts`; `search` counts from 1."""

    TYPE: ClassVar[str] = "appliance.spare-sought"

    spares_id: SparesId
    search: int
    role: str
    replaces: AmphoraId | None = None
    avoid_hosts: tuple[str, ...] = ()


class AmphoraShutDown(ApplianceEvent, frozen=True, kw_only=True):
    """The machine of a dismissed amphora exists no more; its ports still do."""

    TYPE: ClassVar[str] = "appliance.amphora-shut-down"

    amphora_id: AmphoraId


class AmphoraCleared(ApplianceEvent, frozen=True, kw_only=True):
    """Nothing of a dismissed amphora exists any more, machine or ports."""

    TYPE: ClassVar[str] = "appliance.amphora-cleared"

    amphora_id: AmphoraId


class BundleCut(ApplianceEvent, frozen=True, kw_only=True):
    """
    The next configuration: a round begins, and it has failed when it has not been applied by `deadline_at`.

    `member_subnets` are the subnets that need an interface. The `epoch` rises whenever addresses change hands.
    """

    TYPE: ClassVar[str] = "appliance.bundle-cut"

    bundle: int
    holds: Mapping[LoadBalancerId, int]
    deadline_at: datetime
    member_subnets: tuple[SubnetId, ...] = ()
    epoch: int = 1


class PortsTrimmed(ApplianceEvent, frozen=True, kw_only=True):
    """Ports that no bundle needs any more are gone."""

    TYPE: ClassVar[str] = "appliance.ports-trimmed"

    amphora_id: AmphoraId
    revision: int


class BundleInForce(ApplianceEvent, frozen=True, kw_only=True):
    """One amphora reports that it runs the bundle."""

    TYPE: ClassVar[str] = "appliance.bundle-in-force"

    amphora_id: AmphoraId
    bundle: int
    epoch: int = 1


class BundleApplied(ApplianceEvent, frozen=True, kw_only=True):
    """Every amphora in service runs the bundle: the round of the load balancers in `holds` ends."""

    TYPE: ClassVar[str] = "appliance.bundle-applied"

    bundle: int
    holds: Mapping[LoadBalancerId, int]


class BundleFailed(ApplianceEvent, frozen=True, kw_only=True):
    """The bundle is not tried again; the last good one stays in force. `reason` is for people."""

    TYPE: ClassVar[str] = "appliance.bundle-failed"

    bundle: int
    holds: Mapping[LoadBalancerId, int]
    reason: str


class ApplianceFailed(ApplianceEvent, frozen=True, kw_only=True):
    """No amphora could be had after all attempts; tried again at the next wish, or at `retry_at`."""

    TYPE: ClassVar[str] = "appliance.failed"

    reason: str
    retry_at: datetime


class ApplianceRetired(ApplianceEvent, frozen=True, kw_only=True):
    """It carries nothing and nothing of it exists."""

    TYPE: ClassVar[str] = "appliance.retired"


EVENTS = (
    ApplianceCreated,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
    AmphoraAppointed,
    AmphoraJoined,
    AmphoraDismissed,
    AmphoraFenced,
    AmphoraLeaving,
    AmphoraYielding,
    MasterChanged,
    SpareSought,
    AmphoraShutDown,
    AmphoraCleared,
    BundleCut,
    PortsTrimmed,
    BundleInForce,
    BundleApplied,
    BundleFailed,
    ApplianceFailed,
    ApplianceRetired,
)
