"""How events change an appliance. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from immutables import Map
from msgspec.structs import replace

from actium_planner.deciders.appliance import routes
from actium_planner.deciders.appliance.state import (
    MASTER,
    AmphoraState,
    ApplianceState,
    Bundle,
    Outcome,
    Refusal,
    Search,
    Stage,
    Try,
)
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import LoadBalancerId, SubnetId

V = TypeVar("V")

TROUBLE_FORGOTTEN = timedelta(hours=1)
"""So long after a pause a new failure counts as the first again."""

SPARES_FIRST_REVISION = 2
"""Of a spare's ports here: revision 1 was its pool's."""


def fold(state: ApplianceState, happened: Iterable[ApplianceEvent]) -> ApplianceState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def failures(state: ApplianceState, at: datetime) -> int:
    """Give how many tries have failed lately."""
    recent = state.failed_until is not None and at - state.failed_until < TROUBLE_FORGOTTEN
    return state.failures if recent else 0


def evolve(state: ApplianceState, event: ApplianceEvent) -> ApplianceState:
    """Give the state after one event."""
    match event:
        case events.ApplianceCreated(appliance_id=appliance_id, image_tag=image_tag, topology=topology, flavor=flavor):
            return replace(state, id=appliance_id, image_tag=image_tag, topology=topology, flavor=flavor)
        case events.LoadBalancerAdmitted(load_balancer_id=lb_id):
            return routes.wish_anew(replace(state, load_balancers=(*state.load_balancers, lb_id)))
        case events.LoadBalancerReleased(load_balancer_id=lb_id):
            left = tuple(other for other in state.load_balancers if other != lb_id)
            return routes.wish_anew(_without_load_balancer(replace(state, load_balancers=left), lb_id))
        case events.RoutesLaid() | events.RoutesMissing():
            return routes.evolve(state, event)
        case events.ApplianceFailed(retry_at=retry_at):
            count = failures(state, retry_at) + 1
            return replace(state, retry_at=retry_at, failed_until=retry_at, failures=count, tries=Map(), cold=False)
        case events.ApplianceRetired():
            return replace(state, retired=True)
        case events.ImageMoved(image_tag=image_tag):
            return replace(state, image_tag=image_tag)
        case events.SpareSought() | events.SpareSearchEnded():
            return _evolve_search(state, event)
        case events.BundleCut() | events.BundleApplied() | events.BundleFailed() | events.ExchangeFailed():
            return _evolve_rounds(state, event)
        case _:
            return _evolve_amphorae(state, event)


def _evolve_search(state: ApplianceState, event: events.SpareSought | events.SpareSearchEnded) -> ApplianceState:
    number = event.search
    if isinstance(event, events.SpareSought):
        search = Search(number=number, role=event.role, replaces=event.replaces, deadline_at=event.deadline_at)
        unanswered = state.unanswered | {number}
        return replace(state, search=search, searches=number, unanswered=unanswered, retry_at=None)
    unanswered = state.unanswered - {number} if event.answered else state.unanswered
    if state.search is None or state.search.number != number:
        return replace(state, unanswered=unanswered)
    return replace(state, search=None, unanswered=unanswered, cold=True)


# -- rounds


def _evolve_rounds(state: ApplianceState, event: ApplianceEvent) -> ApplianceState:
    match event:
        case events.BundleCut():
            return _with_bundle(state, event)
        case events.BundleApplied(holds=holds):
            return _with_applied(state, holds)
        case events.BundleFailed():
            return _with_failed(state, event)
        case events.ExchangeFailed(holds=holds):
            return replace(state, waiting=_without(state.waiting, holds))
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")


def _with_applied(state: ApplianceState, announced: Mapping[LoadBalancerId, int]) -> ApplianceState:
    held = state.bundle.holds
    over = [lb_id for lb_id, generation in state.waiting.items() if generation <= announced.get(lb_id, 0)]
    mended = [lb_id for lb_id, refusal in state.refusals.items() if held.get(lb_id, 0) >= refusal.generation]
    cleared = [lb_id for lb_id in state.suspects if held.get(lb_id, 0) > state.good.get(lb_id, 0)]
    return replace(
        state,
        bundle=replace(state.bundle, outcome=Outcome.APPLIED),
        established=True,
        announced=announced,
        applied=state.bundle.number,
        applied_holds=held,
        waiting=_without(state.waiting, over),
        good=state.good.update(held),
        refusals=_without(state.refusals, mended),
        suspects=state.suspects.difference(cleared),
        stumbles=0,
    )


def _with_failed(state: ApplianceState, event: events.BundleFailed) -> ApplianceState:
    own_retry_at = None if event.refused else event.retry_at
    outcome = Outcome.LATE if event.late else Outcome.FAILED
    return replace(
        state,
        bundle=replace(state.bundle, outcome=outcome, retry_at=own_retry_at),
        waiting=_without(state.waiting, event.holds),
        refusals=_with_refusals(state.refusals, event),
        suspects=state.suspects.difference(event.refused) if event.refused else frozenset(event.suspects),
        stumbles=state.stumbles + (own_retry_at is not None),
    )


def _with_refusals(held: Map[LoadBalancerId, Refusal], event: events.BundleFailed) -> Map[LoadBalancerId, Refusal]:
    if event.retry_at is None:
        return held
    for lb_id, generation in event.refused.items():
        before = held.get(lb_id)
        count = before.count + 1 if before is not None else 1
        held = held.set(lb_id, Refusal(generation=generation, count=count, retry_at=event.retry_at))
    return held


def _without_load_balancer(state: ApplianceState, gone: LoadBalancerId) -> ApplianceState:
    return replace(
        state,
        waiting=_without(state.waiting, [gone]),
        good=_without(state.good, [gone]),
        refusals=_without(state.refusals, [gone]),
        suspects=state.suspects - {gone},
    )


def _with_bundle(state: ApplianceState, event: events.BundleCut) -> ApplianceState:
    state = routes.try_again(state)
    subnets = frozenset(event.member_subnets)
    members = state.linked()
    bundle = Bundle(
        number=event.bundle,
        epoch=event.epoch,
        holds=event.holds,
        member_subnets=subnets,
        draining=event.draining,
        deadline_at=event.deadline_at,
        outcome=Outcome.IN_FLIGHT,
        holder=event.holder,
        members=members,
        yielding=frozenset(amphora.id for amphora in state.serving() if amphora.yield_by is not None),
        routes=state.routing.wished,
        routing=routes.for_bundle(state, event.holds),
    )
    held = state.amphorae
    for amphora in state.serving():
        wired = _with_ports(amphora, amphora.ports | subnets, again=True)
        first = amphora.first or (event.bundle if amphora.id in members else 0)
        told = amphora.told or (event.bundle if amphora.id == event.holder else 0)
        held = held.set(amphora.id, replace(wired, first=first, told=told))
    return replace(state, bundle=bundle, amphorae=held, last_holder=event.holder or state.last_holder)


def _with_ports(amphora: AmphoraState, ports: frozenset[SubnetId], *, again: bool = False) -> AmphoraState:
    """Wish for these ports; `again` asks anew for those that were wished before and never came into force."""
    if ports == amphora.ports and not (again and ports != amphora.plugged):
        return amphora
    trimming = amphora.trimming or not amphora.ports <= ports
    return replace(amphora, ports=ports, ports_revision=amphora.ports_revision + 1, trimming=trimming)


def _without(held: Map[LoadBalancerId, V], gone: Iterable[LoadBalancerId]) -> Map[LoadBalancerId, V]:
    for lb_id in gone:
        if lb_id in held:
            held = held.delete(lb_id)
    return held


# -- amphorae


def _evolve_amphorae(state: ApplianceState, event: ApplianceEvent) -> ApplianceState:
    match event:
        case events.AmphoraAppointed():
            return _with_newcomer(state, event)
        case events.AmphoraCleared(amphora_id=amphora_id):
            return replace(state, amphorae=state.amphorae.delete(amphora_id))
        case events.AmphoraLeaving(amphora_id=amphora_id, load_balancer_id=lb_id, generation=generation):
            waiting = state.waiting if lb_id is None else state.waiting.set(lb_id, generation)
            before = state.amphorae[amphora_id]
            leaving = replace(before, leaving=True, failed_over=before.failed_over or lb_id is not None)
            # Asked for anew it is tried anew, pause or not.
            return replace(state, amphorae=state.amphorae.set(amphora_id, leaving), waiting=waiting, retry_at=None)
        case events.BundleInForce(amphora_id=amphora_id):
            amphora = state.amphorae[amphora_id]
            held = state.amphorae.set(amphora_id, _evolve_amphora(state, amphora, event))
            return replace(state, amphorae=held, tries=_with_one_come(state.tries, amphora))
        case events.MasterChanged(amphora_id=amphora_id, role=role, deadline_at=deadline_at):
            speaker = replace(state.amphorae[amphora_id], word=role)
            state = replace(state, amphorae=state.amphorae.set(amphora_id, speaker))
            return replace(state, newest_master=amphora_id, split_by=deadline_at) if role == MASTER else state
        case _:
            amphora = state.amphorae[getattr(event, "amphora_id")]  # noqa: B009  all that are left have one
            return replace(state, amphorae=state.amphorae.set(amphora.id, _evolve_amphora(state, amphora, event)))


def _with_one_come(tries: Map[str, Try], amphora: AmphoraState) -> Map[str, Try]:
    last = tries.get(amphora.role)
    mine = last is not None and last.amphora_id == amphora.id
    return tries.set(amphora.role, replace(last, come=True)) if last is not None and mine else tries


def _evolve_amphora(state: ApplianceState, amphora: AmphoraState, event: ApplianceEvent) -> AmphoraState:
    match event:
        case events.AmphoraJoined(host=host):
            return replace(amphora, stage=Stage.JOINED, joined=True, host=host or amphora.host)
        case events.AmphoraDismissed(fence_by=fence_by):
            return replace(amphora, stage=Stage.DISMISSED, fence_by=fence_by)
        case events.AmphoraFenced():
            return replace(amphora, fenced=True)
        case events.AmphoraShutDown():
            return replace(amphora, stage=Stage.SHUT_DOWN)
        case events.AmphoraStaying():
            return replace(amphora, leaving=False, failed_over=False)
        case events.AmphoraYielding(deadline_at=deadline_at):
            return replace(amphora, yield_by=deadline_at)
        case events.PortsTrimmed():
            return replace(amphora, trimming=False)
        case events.BundleInForce(bundle=number):
            amphora = replace(amphora, in_force=number)
            if number != state.bundle.number:
                return amphora
            plugged = state.bundle.member_subnets
            return _with_ports(replace(amphora, plugged=plugged), plugged)
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")


def _with_newcomer(state: ApplianceState, event: events.AmphoraAppointed) -> ApplianceState:
    hosts = [partner.host for partner in state.partners(event.replaces)]
    amphora = AmphoraState(
        id=event.amphora_id,
        role=event.role,
        attempt=event.attempt,
        management_port_id=event.management_port_id,
        vip_port_id=event.vip_port_id,
        vip_subnet_id=event.vip_subnet_id,
        deadline_at=event.deadline_at,
        spare=event.spare,
        host=event.host,
        replaces=event.replaces,
        avoid_hosts=event.avoid_hosts,
        image_tag=event.image_tag or state.image_tag,
        grouped=state.is_pair and (not hosts or "" in hosts),
        ports=state.bundle.member_subnets,
        ports_revision=SPARES_FIRST_REVISION if event.spare else 1,
    )
    held = state.amphorae.set(amphora.id, amphora)
    appointed = state.appointed + (not event.spare)
    if event.attempt == 0:  # it came too late, and goes at once
        return replace(state, amphorae=held)
    last = Try(amphora_id=amphora.id, attempt=event.attempt, deadline_at=event.deadline_at, losses=event.losses)
    tries = state.tries.set(event.role, last)
    return replace(state, amphorae=held, appointed=appointed, tries=tries, cold=False, retry_at=None)
