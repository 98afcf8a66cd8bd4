"""What is true of one appliance, and how events change it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from immutables import Map

from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, SubnetId, derived_id


class Stage(Enum):
    """How far an amphora has come; it only moves on."""

    APPOINTED = 1
    JOINED = 2
    DISMISSED = 3
    SHUT_DOWN = 4


class Outcome(Enum):
    """What became of a bundle."""

    IN_FLIGHT = 1
    APPLIED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AmphoraState:
    """One amphora. `ports` are the member subnets it shall have a port in; `trimming`: some that it has shall go."""

    id: AmphoraId
    role: str
    attempt: int
    management_port_id: PortId
    vip_port_id: PortId
    vip_subnet_id: SubnetId
    deadline_at: datetime
    stage: Stage = Stage.APPOINTED
    in_force: int = 0
    ports: frozenset[SubnetId] = frozenset()
    ports_revision: int = 1
    plugged: frozenset[SubnetId] = frozenset()
    trimming: bool = False

    def port_in(self, subnet_id: SubnetId) -> PortId:
        """Give the id of its port in a member subnet."""
        return PortId(derived_id("member-port", self.id, subnet_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The newest configuration that was cut."""

    number: int = 0
    holds: Mapping[LoadBalancerId, int] = field(default_factory=dict)
    member_subnets: frozenset[SubnetId] = frozenset()
    deadline_at: datetime | None = None
    outcome: Outcome = Outcome.APPLIED


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplianceState:
    """One appliance. `retry_at` is set while no amphora can be had, after `failures` tries in a row."""

    id: ApplianceId | None = None
    image_tag: str = ""
    load_balancers: tuple[LoadBalancerId, ...] = ()
    amphorae: Map[AmphoraId, AmphoraState] = field(default_factory=Map)
    appointed: int = 0
    bundle: Bundle = field(default_factory=Bundle)
    failures: int = 0
    retry_at: datetime | None = None
    retired: bool = False

    def serving(self) -> list[AmphoraState]:
        """Give the amphorae that bundles wait for."""
        return [amphora for amphora in self.ordered() if amphora.stage in (Stage.APPOINTED, Stage.JOINED)]

    def ordered(self) -> list[AmphoraState]:
        """Give all amphorae in an order that is the same everywhere: maps are iterated by hash."""
        return sorted(self.amphorae.values(), key=lambda amphora: amphora.id)


def fold(state: ApplianceState, happened: Iterable[ApplianceEvent]) -> ApplianceState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(state: ApplianceState, event: ApplianceEvent) -> ApplianceState:
    """Give the state after one event."""
    match event:
        case events.ApplianceCreated(appliance_id=appliance_id, image_tag=image_tag):
            return replace(state, id=appliance_id, image_tag=image_tag)
        case events.LoadBalancerAdmitted(load_balancer_id=lb_id):
            return replace(state, load_balancers=(*state.load_balancers, lb_id))
        case events.LoadBalancerReleased(load_balancer_id=lb_id):
            return replace(state, load_balancers=tuple(other for other in state.load_balancers if other != lb_id))
        case events.BundleCut():
            return _with_bundle(state, event)
        case events.BundleApplied():
            return replace(state, bundle=replace(state.bundle, outcome=Outcome.APPLIED), failures=0)
        case events.BundleFailed():
            return replace(state, bundle=replace(state.bundle, outcome=Outcome.FAILED))
        case events.ApplianceFailed(retry_at=retry_at):
            return replace(state, retry_at=retry_at, failures=state.failures + 1)
        case events.ApplianceRetired():
            return replace(state, retired=True)
        case _:
            return _evolve_amphorae(state, event)


def _with_bundle(state: ApplianceState, event: events.BundleCut) -> ApplianceState:
    subnets = frozenset(event.member_subnets)
    bundle = Bundle(
        number=event.bundle,
        holds=event.holds,
        member_subnets=subnets,
        deadline_at=event.deadline_at,
        outcome=Outcome.IN_FLIGHT,
    )
    amphorae_now = state.amphorae
    for amphora in state.serving():
        amphorae_now = amphorae_now.set(amphora.id, _with_ports(amphora, amphora.ports | subnets, again=True))
    return replace(state, bundle=bundle, amphorae=amphorae_now, retry_at=None)


def _with_ports(amphora: AmphoraState, ports: frozenset[SubnetId], *, again: bool = False) -> AmphoraState:
    """Wish for these ports; `again` asks anew for those that were wished before and never came into force."""
    if ports == amphora.ports and not (again and ports != amphora.plugged):
        return amphora
    trimming = amphora.trimming or not amphora.ports <= ports
    return replace(amphora, ports=ports, ports_revision=amphora.ports_revision + 1, trimming=trimming)


def _evolve_amphorae(state: ApplianceState, event: ApplianceEvent) -> ApplianceState:
    held = state.amphorae
    match event:
        case events.AmphoraAppointed(amphora_id=amphora_id):
            amphora = AmphoraState(
                id=amphora_id,
                role=event.role,
                attempt=event.attempt,
                management_port_id=event.management_port_id,
                vip_port_id=event.vip_port_id,
                vip_subnet_id=event.vip_subnet_id,
                deadline_at=event.deadline_at,
                ports=state.bundle.member_subnets,
            )
            return replace(state, amphorae=held.set(amphora_id, amphora), appointed=state.appointed + 1)
        case events.AmphoraJoined(amphora_id=amphora_id):
            return replace(state, amphorae=held.set(amphora_id, replace(held[amphora_id], stage=Stage.JOINED)))
        case events.AmphoraDismissed(amphora_id=amphora_id):
            return replace(state, amphorae=held.set(amphora_id, replace(held[amphora_id], stage=Stage.DISMISSED)))
        case events.AmphoraShutDown(amphora_id=amphora_id):
            return replace(state, amphorae=held.set(amphora_id, replace(held[amphora_id], stage=Stage.SHUT_DOWN)))
        case events.AmphoraCleared(amphora_id=amphora_id):
            return replace(state, amphorae=held.delete(amphora_id))
        case events.PortsTrimmed(amphora_id=amphora_id):
            return replace(state, amphorae=held.set(amphora_id, replace(held[amphora_id], trimming=False)))
        case events.BundleInForce(amphora_id=amphora_id, bundle=number):
            amphora = replace(held[amphora_id], in_force=number)
            if number == state.bundle.number:
                plugged = state.bundle.member_subnets
                amphora = _with_ports(replace(amphora, plugged=plugged), plugged)
            return replace(state, amphorae=held.set(amphora_id, amphora))
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")
