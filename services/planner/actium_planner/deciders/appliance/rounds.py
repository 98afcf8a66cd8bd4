"""Rounds: one bundle after the other, each holding the newest wish of every load balancer."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.state import ApplianceState, Outcome, Stage
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId, LoadBalancerId, SubnetId

BOOT_ATTEMPTS = 3


def living(state: ApplianceState, context: Context) -> dict[LoadBalancerId, LoadBalancerState]:
    """Give the load balancers that shall go on."""
    return {lb_id: context.wishes[lb_id] for lb_id in state.load_balancers if not context.wishes[lb_id].deleting}


def has_newer_wishes(state: ApplianceState, context: Context) -> bool:
    """Say whether the newest bundle is not what the load balancers wish for now."""
    holds = state.bundle.holds
    alive = living(state, context)
    newer = any(wish.generation > holds.get(lb_id, 0) for lb_id, wish in alive.items())
    return newer or any(lb_id not in alive for lb_id in holds)


def cut(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Begin the next round."""
    assert state.id is not None
    held = living(state, context)
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


def fail(state: ApplianceState, reason: str) -> Sequence[ApplianceEvent]:
    """End the round without success, once; a bundle that was applied fails when nobody is left who runs it."""
    assert state.id is not None
    bundle = state.bundle
    nobody = not state.serving()
    if bundle.outcome is Outcome.IN_FLIGHT or (bundle.outcome is Outcome.APPLIED and nobody and bundle.number):
        return [events.BundleFailed(appliance_id=state.id, bundle=bundle.number, holds=bundle.holds, reason=reason)]
    return []


def in_force(state: ApplianceState, context: Context, amphora_id: AmphoraId, bundle: int) -> Sequence[ApplianceEvent]:
    """Note what an amphora runs; the round ends when all of them run the newest bundle."""
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


def _member_subnets(wishes: Iterable[LoadBalancerState]) -> frozenset[SubnetId]:
    return frozenset().union(*(wish.member_subnets() for wish in wishes))
