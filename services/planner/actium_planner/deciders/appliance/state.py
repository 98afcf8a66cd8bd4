"""What is true of one appliance; how events change it is in `evolve`."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

import msgspec
from immutables import Map

from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, SubnetId, derived_id

SINGLE, ACTIVE_STANDBY = "SINGLE", "ACTIVE_STANDBY"
MASTER, BACKUP = "MASTER", "BACKUP"
ROLES: Mapping[str, tuple[str, ...]] = {SINGLE: ("STANDALONE",), ACTIVE_STANDBY: (MASTER, BACKUP)}
"""Topology -> the roles that shall each be filled."""


class Stage(Enum):
    """How far an amphora has come; it only moves on."""

    APPOINTED = 1
    JOINED = 2
    DISMISSED = 3
    SHUT_DOWN = 4


class Outcome(Enum):
    """What became of a bundle. LATE is a failure, too, but for all that it may yet be applied."""

    IN_FLIGHT = 1
    APPLIED = 2
    FAILED = 3
    LATE = 4


class AmphoraState(msgspec.Struct, frozen=True, kw_only=True):
    """
    One amphora. `ports` are the member subnets it shall have a port in; `trimming`: some that it has shall go.

    `joined` stays true when it is dismissed. `told` is the first bundle that told it to hold the VIPs, `first` the first
    that knows of it. `word` is what its keepalived says, `grouped` whether only compute keeps it off its
    partner's host. It is `leaving` for a rollout or an operator, or because a load balancer is `failed_over`.
    """

    id: AmphoraId
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
    grouped: bool = False
    stage: Stage = Stage.APPOINTED
    joined: bool = False
    told: int = 0
    fenced: bool = False
    fence_by: datetime | None = None
    leaving: bool = False
    failed_over: bool = False
    yield_by: datetime | None = None
    word: str = ""
    first: int = 0
    in_force: int = 0
    ports: frozenset[SubnetId] = frozenset()
    ports_revision: int = 1
    plugged: frozenset[SubnetId] = frozenset()
    trimming: bool = False

    @property
    def serves(self) -> bool:
        """Whether it belongs to those who serve, or shall."""
        return self.stage in (Stage.APPOINTED, Stage.JOINED)

    @property
    def settled(self) -> bool:
        """Whether it is in service and has run a bundle."""
        return self.stage is Stage.JOINED and self.in_force > 0

    @property
    def at_large(self) -> bool:
        """Whether it is dismissed and may still answer for the VIPs."""
        return self.stage is Stage.DISMISSED and not self.fenced and (self.joined or self.told > 0)

    def port_in(self, subnet_id: SubnetId) -> PortId:
        """Give the id of its port in a member subnet."""
        return PortId(derived_id("member-port", self.id, subnet_id))


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """
    The newest configuration that was cut, whom it is for or names (`members`), and which of them yield.

    One that was refused is tried again at `retry_at`, under the next number. With a routed front end it waits for `routes`,
    a revision; `routing` are the addresses that these lead to, nothing until they do. `draining` are those of the
    `member_subnets` that no member is in any more, and until when they keep their ports.
    """

    number: int = 0
    epoch: int = 1
    holds: Mapping[LoadBalancerId, int] = msgspec.field(default_factory=dict)
    member_subnets: frozenset[SubnetId] = frozenset()
    draining: Mapping[SubnetId, datetime] = msgspec.field(default_factory=dict)
    deadline_at: datetime | None = None
    outcome: Outcome = Outcome.APPLIED
    retry_at: datetime | None = None
    holder: AmphoraId | None = None
    members: frozenset[AmphoraId] = frozenset()
    yielding: frozenset[AmphoraId] = frozenset()
    routes: int = 0
    routing: tuple[str, ...] | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The newest wish of a load balancer that amphorae refused, `count` times in a row; tried again at `retry_at`."""

    generation: int
    count: int
    retry_at: datetime


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """
    Routes to the VIPs of a routed front end, by revision: the newest that is `wished`, that is `laid`, that is `missing`.

    A new one is wished for when a load balancer comes or goes, and for another try. `led` are the load balancers whose VIPs
    are routed: they stay so while routes for another are still to come, or cannot be had.
    """

    wished: int = 0
    laid: int = 0
    missing: int = 0
    addresses: tuple[str, ...] = ()
    led: frozenset[LoadBalancerId] = frozenset()

    @property
    def settled(self) -> bool:
        """Whether exactly the routes stand that are wished for."""
        return self.laid >= self.wished


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A spare is asked for."""

    number: int
    role: str
    replaces: AmphoraId | None
    deadline_at: datetime | None


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """The last appointment to a role, after `losses` who came and were lost soon; whether it has `come` to run a bundle."""

    amphora_id: AmphoraId
    attempt: int
    deadline_at: datetime
    losses: int = 0
    come: bool = False


class ApplianceState(msgspec.Struct, frozen=True, kw_only=True):
    """
    One appliance. `retry_at` is set while no amphora can be had, after `failures` tries in not too long a time.

    `established`: a bundle was applied, by all; from then on it serves with less. `announced` is what the last applied
    bundle ended rounds with; rounds of who is `waiting` end with the exchange of amphorae. `unanswered` are searches for
    spares, also those that are waited for no longer; after one without success the next amphora comes `cold`.

    `applied` is the number of the newest bundle that was, and `applied_holds` what it held; `good` is the newest wish of
    each load balancer that was ever. `refusals` are wishes that were refused since;
    `suspects` are those one of which was. `stumbles` counts bundles that failed for nobody's wish since one was applied.
    """

    id: ApplianceId | None = None
    topology: str = SINGLE
    image_tag: str = ""
    flavor: Mapping[str, str | int | bool | tuple[str, ...]] = msgspec.field(default_factory=dict)
    load_balancers: tuple[LoadBalancerId, ...] = ()
    amphorae: Map[AmphoraId, AmphoraState] = msgspec.field(default_factory=Map)
    appointed: int = 0
    tries: Map[str, Try] = msgspec.field(default_factory=Map)
    bundle: Bundle = msgspec.field(default_factory=Bundle)
    established: bool = False
    announced: Mapping[LoadBalancerId, int] = msgspec.field(default_factory=dict)
    waiting: Map[LoadBalancerId, int] = msgspec.field(default_factory=Map)
    last_holder: AmphoraId | None = None
    newest_master: AmphoraId | None = None
    split_by: datetime | None = None
    search: Search | None = None
    searches: int = 0
    unanswered: frozenset[int] = frozenset()
    cold: bool = False
    failures: int = 0
    applied: int = 0
    applied_holds: Mapping[LoadBalancerId, int] = msgspec.field(default_factory=dict)
    good: Map[LoadBalancerId, int] = msgspec.field(default_factory=Map)
    refusals: Map[LoadBalancerId, Refusal] = msgspec.field(default_factory=Map)
    suspects: frozenset[LoadBalancerId] = frozenset()
    stumbles: int = 0
    routing: Routing = msgspec.field(default_factory=Routing)
    retry_at: datetime | None = None
    failed_until: datetime | None = None
    retired: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that shall each be filled."""
        return ROLES.get(self.topology, ROLES[SINGLE])

    @property
    def is_pair(self) -> bool:
        """Whether keepalived decides who has the VIPs."""
        return len(self.roles) > 1

    @property
    def is_routed(self) -> bool:
        """Whether a router leads to the VIPs; else whoever has them says so on their network."""
        return self.flavor.get("front_end") == "L3"

    @property
    def carried(self) -> bool:
        """Whether what was applied once is still being served, whoever else is to come."""
        return self.established and any(amphora.settled for amphora in self.amphorae.values())

    @property
    def served(self) -> bool:
        """Whether anybody answers for the VIPs."""
        has_them = (each for each in self.settled() if self.is_pair or 0 < each.told <= each.in_force)
        return any(True for _ in has_them)

    def ordered(self) -> list[AmphoraState]:
        """Give all amphorae in an order that is the same everywhere: maps are iterated by hash."""
        return sorted(self.amphorae.values(), key=lambda amphora: amphora.id)

    def serving(self) -> list[AmphoraState]:
        """Give those who serve, or shall."""
        return [amphora for amphora in self.ordered() if amphora.serves]

    def staying(self) -> list[AmphoraState]:
        """Give those who serve, or shall, and are not to be replaced."""
        return [amphora for amphora in self.serving() if not amphora.leaving]

    def leaving(self) -> list[AmphoraState]:
        """Give those who serve until they are replaced."""
        return [amphora for amphora in self.serving() if amphora.leaving]

    def settled(self) -> list[AmphoraState]:
        """Give those who have run a bundle."""
        return [amphora for amphora in self.ordered() if amphora.settled]

    def waited(self) -> list[AmphoraState]:
        """Give those by whom a bundle has to be applied: nobody waits for a newcomer while others serve."""
        return self.settled() if self.carried else self.serving()

    def masters(self) -> list[AmphoraState]:
        """Give those of a pair who say that they are MASTER."""
        return [amphora for amphora in self.serving() if amphora.word == MASTER]

    def partners(self, replaces: AmphoraId | None = None) -> list[AmphoraState]:
        """Give those beside whom a newcomer will stay; not who it replaces, nor who is being replaced already."""
        going = {replaces, *(amphora.replaces for amphora in self.serving())}
        return [amphora for amphora in self.serving() if amphora.id not in going]

    @property
    def exchanging(self) -> bool:
        """Whether one that shall leave may still answer."""
        return any(amphora.leaving and (amphora.serves or amphora.at_large) for amphora in self.amphorae.values())

    def linked(self) -> frozenset[AmphoraId]:
        """
        Give those whom a bundle that is cut now is for, or names.

        While others serve a newcomer is named only when it has booted, as its peers need its port. Of a pair one that is
        gone is named until it is fenced: who hears nothing any more becomes master.
        """
        known = self.bundle.members
        here = {
            amphora.id
            for amphora in self.serving()
            if not self.carried or amphora.stage is Stage.JOINED or amphora.id in known
        }
        gone = {each.id for each in self.amphorae.values() if each.at_large and each.joined and each.id in known}
        return frozenset(here | gone if self.is_pair else here)

    def withheld(self, amphora: AmphoraState) -> bool:
        """
        Say whether it is not to be configured yet.

        A newcomer to a pair waits until its partner knows of it: it would be a second master. All wait for their routes.
        """
        if self.is_routed and self.bundle.routing is None:
            return True
        newcomer = self.is_pair and not amphora.settled
        return newcomer and any(other.in_force < amphora.first for other in self.settled())
