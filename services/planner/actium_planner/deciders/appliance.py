"""
The appliance: the amphorae that act as one, the bundles that they run, and the load balancers that these hold. Pure.

A round is one bundle: it is cut when the one before it has ended, and holds the newest wish of every load balancer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from immutables import Map

from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.events import amphora as amphorae
from actium_shared.events import appliance as events
from actium_shared.events import network
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, SubnetId, derived_id
from actium_shared.message import Event

BOOT_ATTEMPTS = 3
FINAL_REVISION = 2**31
"""Of the last order about an amphora's ports, the one that clears them."""

Wishes = Mapping[LoadBalancerId, LoadBalancerState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, and what is used where a flavor is silent."""

    boot_s: float = 60.0
    bundle_s: float = 60.0
    retry_s: float = 30.0
    image_tag: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision may look at besides the appliance: its load balancers' newest wishes, the time, the limits."""

    wishes: Wishes
    now: datetime
    limits: Limits


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
    """One appliance. `retry_at` is set while no amphora can be had."""

    id: ApplianceId | None = None
    image_tag: str = ""
    load_balancers: tuple[LoadBalancerId, ...] = ()
    amphorae: Map[AmphoraId, AmphoraState] = field(default_factory=Map)
    appointed: int = 0
    bundle: Bundle = field(default_factory=Bundle)
    retry_at: datetime | None = None
    retired: bool = False

    def serving(self) -> list[AmphoraState]:
        """Give the amphorae that bundles wait for."""
        return [amphora for amphora in self.amphorae.values() if amphora.stage in (Stage.APPOINTED, Stage.JOINED)]


def admit(
    appliance_id: ApplianceId, state: ApplianceState, wish: LoadBalancerState, context: Context
) -> Sequence[ApplianceEvent]:
    """Give what happens when a load balancer is placed here: the appliance is made with it, and its round begins."""
    assert wish.load_balancer is not None
    lb = wish.load_balancer
    if lb.id in state.load_balancers or state.retired:
        return []
    admitted = events.LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=lb.id)
    created = events.ApplianceCreated(
        appliance_id=appliance_id,
        project_id=lb.project_id,
        topology=str(lb.flavor.get("loadbalancer_topology", "SINGLE")),
        image_tag=str(lb.flavor.get("amp_image_tag", context.limits.image_tag)),
        flavor=lb.flavor,
    )
    opening = [admitted] if state.id else [created, admitted]
    grown = fold(state, opening)
    if wish.deleting:
        return [*opening, *_retire_if_empty(grown, context)]
    joined = [] if grown.serving() else [_appoint(grown, wish, 1, context)]
    return [*opening, *joined, *_cut(fold(grown, joined), context)]


def follow(trigger: Event, state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give what another aggregate's event means for the appliance; nothing when it says nothing new."""
    if state.id is None or state.retired:
        return []
    match trigger:
        case amphorae.AmphoraBooted(amphora_id=amphora_id):
            return _joined(state, amphora_id)
        case amphorae.AmphoraConfigured(amphora_id=amphora_id, bundle=bundle):
            return _in_force(state, context, amphora_id, bundle)
        case amphorae.AmphoraConfigurationRefused(amphora_id=amphora_id, bundle=bundle, reason=reason):
            refused = bundle == state.bundle.number and amphora_id in state.amphorae
            return _fail_bundle(state, reason) if refused else []
        case amphorae.AmphoraBootFailed(amphora_id=amphora_id, reason=reason):
            return _replace(state, amphora_id, reason, context)
        case amphorae.AmphoraDeleted(amphora_id=amphora_id):
            amphora = state.amphorae.get(amphora_id)
            gone = amphora is not None and amphora.stage is Stage.DISMISSED
            return [events.AmphoraShutDown(appliance_id=state.id, amphora_id=amphora_id)] if gone else []
        case network.PortFailed(amphora_id=amphora_id, port_id=port_id, reason=reason):
            return _port_failed(state, amphora_id, port_id, reason, context)
        case network.PortsSettled(amphora_id=amphora_id, revision=revision):
            return _ports_settled(state, context, amphora_id, revision)
        case _:
            return follow_wishes(state, context)


def follow_wishes(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give what the load balancers' newest wishes ask for: another round, another try, or the end."""
    if state.id is None or state.retired:
        return []
    if not _living(state, context):
        dismissed = [
            events.AmphoraDismissed(
                appliance_id=state.id, amphora_id=amphora.id, reason="its last load balancer is deleted"
            )
            for amphora in state.serving()
        ]
        return [*dismissed, *_retire_if_empty(fold(state, dismissed), context)]
    if state.bundle.outcome is Outcome.IN_FLIGHT or not _newer_wishes(state, context):
        return []
    return _retried(state, context)


def lapse(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give what follows from deadlines that are over at `now`."""
    if state.id is None or state.retired:
        return []
    happened: list[ApplianceEvent] = []
    for amphora in state.amphorae.values():
        if amphora.stage is Stage.APPOINTED and amphora.deadline_at <= context.now:
            reason = f"the amphora did not boot within {context.limits.boot_s:.0f} s"
            happened += _replace(fold(state, happened), amphora.id, reason, context)
    bundle = state.bundle
    if bundle.outcome is Outcome.IN_FLIGHT and bundle.deadline_at is not None and bundle.deadline_at <= context.now:
        reason = f"the amphora did not apply the configuration within {context.limits.bundle_s:.0f} s"
        happened += _fail_bundle(fold(state, happened), reason)
    if state.retry_at is not None and state.retry_at <= context.now and _living(state, context):
        happened += _retried(fold(state, happened), context)
    return happened


def deadlines(state: ApplianceState) -> Iterable[datetime]:
    """Give the times at which `lapse` may have something to say."""
    if state.retired:
        return
    for amphora in state.amphorae.values():
        if amphora.stage is Stage.APPOINTED:
            yield amphora.deadline_at
    if state.bundle.outcome is Outcome.IN_FLIGHT and state.bundle.deadline_at is not None:
        yield state.bundle.deadline_at
    if state.retry_at is not None:
        yield state.retry_at


def _appoint(state: ApplianceState, wish: LoadBalancerState, attempt: int, context: Context) -> ApplianceEvent:
    assert state.id is not None
    assert wish.load_balancer is not None
    amphora_id = AmphoraId(derived_id("amphora", state.id, str(state.appointed + 1)))
    return events.AmphoraAppointed(
        appliance_id=state.id,
        amphora_id=amphora_id,
        role="STANDALONE",
        attempt=attempt,
        management_port_id=PortId(derived_id("management-port", amphora_id)),
        vip_port_id=PortId(derived_id("vip-network-port", amphora_id)),
        vip_subnet_id=wish.load_balancer.vip.subnet_id,
        deadline_at=context.now + timedelta(seconds=context.limits.boot_s),
    )


def _cut(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    held = _living(state, context)
    limits = context.limits
    boots = not any(amphora.stage is Stage.JOINED for amphora in state.amphorae.values())
    allowed_s = limits.bundle_s + (BOOT_ATTEMPTS * limits.boot_s if boots else 0)
    return [
        events.BundleCut(
            appliance_id=state.id,
            bundle=state.bundle.number + 1,
            holds={lb_id: wish.generation for lb_id, wish in held.items()},
            deadline_at=context.now + timedelta(seconds=allowed_s),
            member_subnets=tuple(sorted(_member_subnets(held.values()))),
        )
    ]


def _living(state: ApplianceState, context: Context) -> dict[LoadBalancerId, LoadBalancerState]:
    """Give the load balancers that shall go on."""
    return {lb_id: context.wishes[lb_id] for lb_id in state.load_balancers if not context.wishes[lb_id].deleting}


def _member_subnets(wishes: Iterable[LoadBalancerState]) -> frozenset[SubnetId]:
    """Give the subnets that need an interface of their own: those of members that are not on the VIP's."""
    return frozenset(
        member.subnet_id
        for wish in wishes
        if wish.load_balancer is not None
        for pool in wish.pools.values()
        for member in pool.members.values()
        if member.subnet_id is not None and member.subnet_id != wish.load_balancer.vip.subnet_id
    )


def _newer_wishes(state: ApplianceState, context: Context) -> bool:
    holds = state.bundle.holds
    living = _living(state, context)
    newer = any(wish.generation > holds.get(lb_id, 0) for lb_id, wish in living.items())
    return newer or any(lb_id not in living for lb_id in holds)


def _retried(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Cut the next bundle, with a new amphora where none serves."""
    wish = next(iter(_living(state, context).values()))
    appointed = [] if state.serving() else [_appoint(state, wish, 1, context)]
    return [*appointed, *_cut(fold(state, appointed), context)]


def _joined(state: ApplianceState, amphora_id: AmphoraId) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.APPOINTED:
        return []
    return [events.AmphoraJoined(appliance_id=state.id, amphora_id=amphora_id)]


def _in_force(state: ApplianceState, context: Context, amphora_id: AmphoraId, bundle: int) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.JOINED or bundle <= amphora.in_force:
        return []
    happened: list[ApplianceEvent] = [events.BundleInForce(appliance_id=state.id, amphora_id=amphora_id, bundle=bundle)]
    newest = state.bundle
    others = [other for other in state.serving() if other.id != amphora_id]
    if bundle < newest.number or any(other.in_force < newest.number for other in others):
        return happened
    if newest.outcome is not Outcome.APPLIED:
        happened.append(events.BundleApplied(appliance_id=state.id, bundle=newest.number, holds=newest.holds))
    happened += [
        events.LoadBalancerReleased(appliance_id=state.id, load_balancer_id=lb_id)
        for lb_id in state.load_balancers
        if context.wishes[lb_id].deleting and lb_id not in newest.holds
    ]
    return happened


def _fail_bundle(state: ApplianceState, reason: str) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    bundle = state.bundle
    if bundle.outcome is not Outcome.IN_FLIGHT:
        return []
    return [events.BundleFailed(appliance_id=state.id, bundle=bundle.number, holds=bundle.holds, reason=reason)]


def _replace(
    state: ApplianceState,
    amphora_id: AmphoraId,
    reason: str,
    context: Context,
) -> Sequence[ApplianceEvent]:
    """Dismiss an amphora that does not come, and appoint another until the attempts are used up."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage not in (Stage.APPOINTED, Stage.JOINED):
        return []
    appliance_id = state.id
    dismissed = events.AmphoraDismissed(appliance_id=appliance_id, amphora_id=amphora_id, reason=reason)
    state = fold(state, [dismissed])
    wish = next((wish for wish in _living(state, context).values()), None)
    if wish is None:
        return [dismissed]
    attempt = amphora.attempt + 1 if amphora.stage is Stage.APPOINTED else 1
    if attempt <= BOOT_ATTEMPTS:
        return [dismissed, _appoint(state, wish, attempt, context)]
    failed = events.ApplianceFailed(
        appliance_id=appliance_id, reason=reason, retry_at=context.now + timedelta(seconds=context.limits.retry_s)
    )
    return [dismissed, failed, *_fail_bundle(state, reason)]


def _port_failed(
    state: ApplianceState,
    amphora_id: AmphoraId,
    port_id: PortId,
    reason: str,
    context: Context,
) -> Sequence[ApplianceEvent]:
    amphora = state.amphorae.get(amphora_id)
    if amphora is None:
        return []
    if port_id in (amphora.management_port_id, amphora.vip_port_id):
        return _replace(state, amphora_id, reason, context)
    wanted = {amphora.port_in(subnet_id) for subnet_id in state.bundle.member_subnets}
    return _fail_bundle(state, reason) if port_id in wanted else []


def _ports_settled(
    state: ApplianceState, context: Context, amphora_id: AmphoraId, revision: int
) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None:
        return []
    if amphora.stage is Stage.SHUT_DOWN and revision >= FINAL_REVISION:
        cleared = events.AmphoraCleared(appliance_id=state.id, amphora_id=amphora_id)
        return [cleared, *_retire_if_empty(fold(state, [cleared]), context)]
    if amphora.trimming and revision == amphora.ports_revision:
        return [events.PortsTrimmed(appliance_id=state.id, amphora_id=amphora_id, revision=revision)]
    return []


def _retire_if_empty(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give the end of the appliance once nothing of it is left and nothing asks for it."""
    assert state.id is not None
    if state.amphorae or _living(state, context):
        return []
    released = [
        events.LoadBalancerReleased(appliance_id=state.id, load_balancer_id=lb_id) for lb_id in state.load_balancers
    ]
    return [*released, events.ApplianceRetired(appliance_id=state.id)]


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
        case events.BundleApplied(bundle=number) if number == state.bundle.number:
            return replace(state, bundle=replace(state.bundle, outcome=Outcome.APPLIED))
        case events.BundleFailed(bundle=number) if number == state.bundle.number:
            return replace(state, bundle=replace(state.bundle, outcome=Outcome.FAILED))
        case events.ApplianceFailed(retry_at=retry_at):
            return replace(state, retry_at=retry_at)
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
        amphorae_now = amphorae_now.set(amphora.id, _with_ports(amphora, amphora.ports | subnets))
    return replace(state, bundle=bundle, amphorae=amphorae_now, retry_at=None)


def _with_ports(amphora: AmphoraState, ports: frozenset[SubnetId]) -> AmphoraState:
    if ports == amphora.ports:
        return amphora
    return replace(amphora, ports=ports, ports_revision=amphora.ports_revision + 1, trimming=not amphora.ports <= ports)


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
            return state
