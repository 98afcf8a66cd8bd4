"""
Wishes that amphorae refuse: each is its load balancer's own affair. Pure.

Bundles hold the last good wish of whoever's newest was refused, so that it serves on, also on amphorae that are yet to
come, and so that its neighbours' changes go on. Such a wish is tried again after a pause that grows: its cause may lie
elsewhere (a secret, an address range) and be gone by then.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from actium_planner.deciders.appliance.context import DOUBLINGS_MOST, Context
from actium_planner.deciders.appliance.state import ApplianceState, Outcome
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.ids import LoadBalancerId

Living = Mapping[LoadBalancerId, LoadBalancerState]


def wanted(state: ApplianceState, alive: Living, now: datetime) -> dict[LoadBalancerId, int]:
    """Give the wishes that the next bundle is to hold; nothing of a load balancer that has no good one."""
    suspect = min((lb_id for lb_id in state.suspects if lb_id in alive), default=None)
    chosen = {
        lb_id: wish.generation
        if suspect in (None, lb_id) and _may_be_tried(state, lb_id, wish, now)
        else _good(state, lb_id)
        for lb_id, wish in alive.items()
    }
    return {lb_id: generation for lb_id, generation in chosen.items() if generation}


def _good(state: ApplianceState, lb_id: LoadBalancerId) -> int:
    """Give the last good wish, 0 where there is none: not even that can be expressed any more."""
    refusal, good = state.refusals.get(lb_id), state.good.get(lb_id, 0)
    return 0 if refusal is not None and refusal.generation <= good else good


def _may_be_tried(state: ApplianceState, lb_id: LoadBalancerId, wish: LoadBalancerState, now: datetime) -> bool:
    refusal = state.refusals.get(lb_id)
    if refusal is None or wish.generation > refusal.generation:
        return True
    return refusal.retry_at <= now or _is_tried(state, lb_id)


def _is_tried(state: ApplianceState, lb_id: LoadBalancerId) -> bool:
    """Say whether what was refused is in a bundle whose outcome is open."""
    is_open = state.bundle.outcome in (Outcome.IN_FLIGHT, Outcome.LATE)
    return is_open and state.bundle.holds.get(lb_id, 0) >= state.refusals[lb_id].generation


def blame(
    state: ApplianceState, alive: Living, culprits: Collection[LoadBalancerId]
) -> tuple[dict[LoadBalancerId, int], tuple[LoadBalancerId, ...]]:
    """
    Give the wishes for which the newest bundle was refused, or else those of whom some must have it.

    What was good once stays where it is served; where nobody serves, the others are not to wait for it either.
    """
    held = {lb_id: generation for lb_id, generation in sorted(state.bundle.holds.items()) if lb_id in alive}
    fresh = {lb_id: generation for lb_id, generation in held.items() if generation > state.good.get(lb_id, 0)}
    if culprits:
        return {lb_id: held[lb_id] for lb_id in (fresh if state.served else held) if lb_id in culprits}, ()
    return (fresh, ()) if len(fresh) == 1 else ({}, tuple(fresh))


def is_due(state: ApplianceState, alive: Living, now: datetime) -> bool:
    """Say whether a bundle that failed is to be followed by one without what was refused, or a refused wish tried again."""
    if state.bundle.outcome is Outcome.FAILED:
        less = wanted(state, alive, now)
        at_rest = _is_served(state, less) and not state.leaving() and len(alive) == len(state.load_balancers)
        if less and less != dict(state.bundle.holds) and not at_rest:
            return True
    return any(at <= now for at in deadlines(state, alive))


def _is_served(state: ApplianceState, holds: Mapping[LoadBalancerId, int]) -> bool:
    """Say whether all run just this, from before the bundle that failed."""
    return holds == dict(state.applied_holds) and all(each.in_force == state.applied for each in state.serving())


def deadlines(state: ApplianceState, alive: Iterable[LoadBalancerId]) -> Iterator[datetime]:
    """Give the times at which refused wishes are tried again; none while the outcome of another bundle is to come."""
    if state.bundle.outcome is Outcome.IN_FLIGHT:
        return
    for lb_id in alive:
        refusal = state.refusals.get(lb_id)
        if refusal is not None and not _is_tried(state, lb_id):
            yield refusal.retry_at


def retry_at(state: ApplianceState, blamed: Iterable[LoadBalancerId], context: Context) -> datetime:
    """Give when to try again what is refused now."""
    counts = (state.refusals[lb_id].count if lb_id in state.refusals else 0 for lb_id in blamed)
    return context.now + timedelta(seconds=context.limits.retry_s * 2 ** min(max(counts, default=0), DOUBLINGS_MOST))
