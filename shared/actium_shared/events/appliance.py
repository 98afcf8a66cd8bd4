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
    flavor: Mapping[str, str | int | bool | tuple[str, ...]] = {}


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

    `attempt` counts from 1; one that has not joined by `deadline_at` is dismissed. `losses`: so many in a row have come to
    this role and were lost soon after. `spare`: it runs already, handed out by its pool, and only a VIP port and a
    configuration are new to it; `host` is then known. `replaces` shall leave once the new one can serve. It shall not come
    to one of `avoid_hosts`.
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
    image_tag: str = ""
    losses: int = 0


class AmphoraJoined(ApplianceEvent, frozen=True, kw_only=True):
    """It booted and is in service: bundles wait for it."""

    TYPE: ClassVar[str] = "appliance.amphora-joined"

    amphora_id: AmphoraId
    host: str = ""


class AmphoraDismissed(ApplianceEvent, frozen=True, kw_only=True):
    """
    It shall go: no bundle waits for it, and compute and network clear it away.

    One that served is to be fenced by `fence_by`; what waits for that has failed then.
    """

    TYPE: ClassVar[str] = "appliance.amphora-dismissed"

    amphora_id: AmphoraId
    reason: str
    fence_by: datetime | None = None


class AmphoraFenced(ApplianceEvent, frozen=True, kw_only=True):
    """Nothing that a dismissed amphora sends arrives anywhere any more: another one may take its addresses."""

    TYPE: ClassVar[str] = "appliance.amphora-fenced"

    amphora_id: AmphoraId


class AmphoraLeaving(ApplianceEvent, frozen=True, kw_only=True):
    """
    It shall be replaced without loss of traffic, and serves until then; pairs replace one after the other.

    The round of `load_balancer_id`, if any, with the wish of this `generation`, ends when all who leave are gone.
    """

    TYPE: ClassVar[str] = "appliance.amphora-leaving"

    amphora_id: AmphoraId
    reason: str
    load_balancer_id: LoadBalancerId | None = None
    generation: int = 0


class AmphoraStaying(ApplianceEvent, frozen=True, kw_only=True):
    """It is not to be replaced after all: who was to come in its place does not."""

    TYPE: ClassVar[str] = "appliance.amphora-staying"

    amphora_id: AmphoraId
    reason: str


class ImageMoved(ApplianceEvent, frozen=True, kw_only=True):
    """Amphorae that are appointed from now on boot from this image, also in place of those that are lost."""

    TYPE: ClassVar[str] = "appliance.image-moved"

    image_tag: str
    reason: str


class ExchangeFailed(ApplianceEvent, frozen=True, kw_only=True):
    """Those who shall leave cannot be replaced for now, and serve on: the rounds that waited for it have failed."""

    TYPE: ClassVar[str] = "appliance.exchange-failed"

    holds: Mapping[LoadBalancerId, int]
    reason: str


class AmphoraYielding(ApplianceEvent, frozen=True, kw_only=True):
    """It is told to let its partner be master, before it is dismissed; no later than `deadline_at`, whatever it says."""

    TYPE: ClassVar[str] = "appliance.amphora-yielding"

    amphora_id: AmphoraId
    deadline_at: datetime


class MasterChanged(ApplianceEvent, frozen=True, kw_only=True):
    """
    By its own word an amphora of a pair became MASTER, or ceased to be: BACKUP, FAULT.

    Where that makes two, all but this one are dismissed at `deadline_at`, unless only one is left by then.
    """

    TYPE: ClassVar[str] = "appliance.master-changed"

    amphora_id: AmphoraId
    role: str
    deadline_at: datetime | None = None


class SpareSought(ApplianceEvent, frozen=True, kw_only=True):
    """
    A pool of spares is asked for an amphora that is not on one of `avoid_hosts`; `search` counts from 1.

    Without an answer by `deadline_at` one is booted instead. `image_tag`: only one that runs this; empty, any will do.
    """

    TYPE: ClassVar[str] = "appliance.spare-sought"

    spares_id: SparesId
    search: int
    role: str
    replaces: AmphoraId | None = None
    avoid_hosts: tuple[str, ...] = ()
    deadline_at: datetime | None = None
    image_tag: str = ""


class SpareSearchEnded(ApplianceEvent, frozen=True, kw_only=True):
    """The search has its answer, or is waited for no longer: a spare that still comes for it then is sent away."""

    TYPE: ClassVar[str] = "appliance.spare-search-ended"

    search: int
    answered: bool
    reason: str = ""


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

    `member_subnets` are the subnets that need an interface; those in `draining` do until then, as requests to members that
    are gone may still be under way. The `epoch` rises whenever addresses change hands. `holder`
    has the VIPs; nobody while one that had them may still answer. In a pair keepalived decides instead.
    """

    TYPE: ClassVar[str] = "appliance.bundle-cut"

    bundle: int
    holds: Mapping[LoadBalancerId, int]
    deadline_at: datetime
    member_subnets: tuple[SubnetId, ...] = ()
    draining: Mapping[SubnetId, datetime] = {}
    epoch: int = 1
    holder: AmphoraId | None = None


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
    """
    The bundle can never run; the last good one stays in force. `reason` is for people.

    The wishes are tried again at `retry_at`, if not with newer ones before; without, nobody is there to run them.
    `still_serves`: an amphora runs that last good one, so that load balancers whose wishes it holds have lost nothing.
    `late`: nobody refused it; it only took too long, and counts if it is applied after all.

    `refused`: the wishes that it failed for, where that is known; until a newer one or `retry_at` bundles hold the last good
    wish of these load balancers, and of all others the newest. `suspects`: it failed for one of these, which are tried one
    after the other; no round has failed by it yet.
    """

    TYPE: ClassVar[str] = "appliance.bundle-failed"

    bundle: int
    holds: Mapping[LoadBalancerId, int]
    reason: str
    still_serves: bool = False
    late: bool = False
    retry_at: datetime | None = None
    refused: Mapping[LoadBalancerId, int] = {}
    suspects: tuple[LoadBalancerId, ...] = ()


class RoutesLaid(ApplianceEvent, frozen=True, kw_only=True):
    """
    The VIPs of a routed front end lead to these addresses, which one amphora at a time has: address and prefix length.

    `revision` counts the load balancers that came and went.
    """

    TYPE: ClassVar[str] = "appliance.routes-laid"

    revision: int
    routing_addresses: tuple[str, ...] = ()


class RoutesMissing(ApplianceEvent, frozen=True, kw_only=True):
    """VIPs cannot be routed here; tried again with the next bundle, under the next revision. `reason` is for people."""

    TYPE: ClassVar[str] = "appliance.routes-missing"

    revision: int
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
    AmphoraStaying,
    ImageMoved,
    ExchangeFailed,
    AmphoraYielding,
    MasterChanged,
    SpareSought,
    SpareSearchEnded,
    AmphoraShutDown,
    AmphoraCleared,
    BundleCut,
    PortsTrimmed,
    BundleInForce,
    BundleApplied,
    BundleFailed,
    RoutesLaid,
    RoutesMissing,
    ApplianceFailed,
    ApplianceRetired,
)
