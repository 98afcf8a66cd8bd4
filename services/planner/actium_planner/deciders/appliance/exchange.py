"""
Planned failover: amphorae leave without loss of traffic, when those that take their places run what they run.

The standby of a pair goes first. Its master lets the newcomers take over before it goes, once they know what it knows of clients.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from actium_planner.deciders.appliance import roles, rounds
from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.membership import dismiss
from actium_planner.deciders.appliance.state import AmphoraState, ApplianceState, Outcome, Stage
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.load_balancer import LoadBalancerFailoverRequested
from actium_shared.ids import LoadBalancerId

AT_ONCE = datetime.min.replace(tzinfo=UTC)


def requested(
    trigger: LoadBalancerFailoverRequested, state: ApplianceState, context: Context
) -> Sequence[ApplianceEvent]:
    """Have all go that are there now; the load balancer's round ends with the last of them."""
    lb_id, generation = trigger.load_balancer_id, trigger.generation
    if lb_id not in state.load_balancers or state.waiting.get(lb_id, 0) >= generation:
        return []
    wish = context.wishes[lb_id]
    if max(wish.ended, wish.failed) >= generation or wish.deleting:
        return []
    going = {amphora.id for amphora in state.amphorae.values() if amphora.serves or amphora.at_large}
    reason = f"failover of load balancer {lb_id}"
    happened: list[ApplianceEvent] = []
    for amphora in state.serving():
        if amphora.replaces not in going:  # else it has come for this
            happened += leave(state, amphora, reason, context, load_balancer_id=lb_id, generation=generation)
    return happened


def leave(
    state: ApplianceState,
    amphora: AmphoraState,
    reason: str,
    context: Context,
    *,
    load_balancer_id: LoadBalancerId | None = None,
    generation: int = 0,
) -> Sequence[ApplianceEvent]:
    """Have an amphora replaced: one that has run nothing yet goes at once, and one that is booting is new."""
    assert state.id is not None
    if amphora.stage is not Stage.JOINED:
        return []
    if not amphora.settled:
        return dismiss(state, amphora, reason, context)
    return [
        events.AmphoraLeaving(
            appliance_id=state.id,
            amphora_id=amphora.id,
            reason=reason,
            load_balancer_id=load_balancer_id,
            generation=generation,
        )
    ]


def advance(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Let the next one go that can be spared, or have it yield first."""
    assert state.id is not None
    for amphora in state.leaving():
        if amphora.yield_by is not None:
            if roles.has_another_master(state, amphora) or not roles.is_master(state, amphora):
                return dismiss(state, amphora, "replaced: its partner is master", context)
        elif (at := _spared_at(state, amphora)) is not None and at <= context.now:
            if not roles.is_master(state, amphora):
                return dismiss(state, amphora, "replaced: another runs what it runs", context)
            yield_by = context.now + timedelta(seconds=context.limits.yield_s)
            return [events.AmphoraYielding(appliance_id=state.id, amphora_id=amphora.id, deadline_at=yield_by)]
    return []


def _spared_at(state: ApplianceState, amphora: AmphoraState) -> datetime | None:
    """Give from when on enough others run what it runs and know what it knows; of what they still learn it is the deadline."""
    if state.bundle.outcome is not Outcome.APPLIED:
        return None
    learning = {each.id for each in roles.learning(state)}
    ready = [each for each in state.staying() if rounds.is_ready(state, each.id)]
    at = {each.id: each.deadline_at if each.id in learning else AT_ONCE for each in ready}
    ways = [at[each.id] for each in ready if each.replaces == amphora.id]
    ways += sorted(at.values())[len(state.roles) - 1 :][:1]
    return min(ways, default=None)


def deadlines(state: ApplianceState) -> Iterator[datetime]:
    """Give the times from which on those who leave wait no longer for what others still learn."""
    times = (_spared_at(state, amphora) for amphora in state.leaving() if amphora.yield_by is None)
    return (at for at in times if at is not None and at != AT_ONCE)


def lapse(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Dismiss a master that has not yielded in time."""
    happened: list[ApplianceEvent] = []
    for amphora in state.leaving():
        if amphora.yield_by is not None and amphora.yield_by <= context.now:
            happened += dismiss(state, amphora, "replaced: it did not yield in time", context)
    return happened


def removed(state: ApplianceState, amphora: AmphoraState, context: Context) -> Sequence[ApplianceEvent]:
    """Have an amphora go without a successor; a master lets its partner take over first, where that one can."""
    assert state.id is not None
    reason = "removed by an operator"
    partners = (other for other in state.staying() if other.id != amphora.id and rounds.is_ready(state, other.id))
    serves = amphora.settled and roles.is_master(state, amphora)  # one that is still to come has nothing to let go of
    yields = serves and amphora.yield_by is None and any(partners)
    if not yields:
        return dismiss(state, amphora, reason, context)
    yield_by = context.now + timedelta(seconds=context.limits.yield_s)
    leaving = [] if amphora.leaving else leave(state, amphora, reason, context)
    return [*leaving, events.AmphoraYielding(appliance_id=state.id, amphora_id=amphora.id, deadline_at=yield_by)]
