"""How a pool gets to its size: spares appointed, one too many dismissed, and the pauses after failures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from actium_planner.deciders.spares.state import SparesState, SpareState, Stage, fold
from actium_shared.events import spares as events
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import AmphoraId, PortId, derived_id

DOUBLINGS_MOST = 5
"""The pause after a failure grows from `retry_s` to this many doublings of it."""

UNCLEARED_MOST = 3
"""With so many more than the pool's size that could not be cleared away yet, none is appointed: they hold addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a boot may take, and the first pause after one that failed."""

    boot_s: float = 60.0
    retry_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What decisions about a pool look at besides it."""

    now: datetime
    limits: Limits


def kept(state: SparesState, happened: Sequence[SparesEvent], context: Context) -> Sequence[SparesEvent]:
    """Give what happened, and behind it what brings the pool to its size."""
    grown = fold(state, happened)
    return [*happened, *_trimmed(grown), *_filled(grown, context)]


def failed(state: SparesState, spare: SpareState, reason: str, context: Context) -> Sequence[SparesEvent]:
    """Dismiss a spare that did not come; no other is tried before a pause is over, which grows with each failure."""
    assert state.id is not None
    dismissed = events.SpareDismissed(spares_id=state.id, amphora_id=spare.id, reason=reason)
    if state.retry_at is not None and state.retry_at > context.now:
        return [dismissed]  # one of several that were tried at once
    pause = timedelta(seconds=context.limits.retry_s * 2 ** min(state.failures, DOUBLINGS_MOST))
    return [dismissed, events.SparesFailed(spares_id=state.id, reason=reason, retry_at=context.now + pause)]


def missing(state: SparesState) -> int:
    """Say how many may be appointed, pauses aside: one at a time while the last tries failed."""
    wanted = state.size - len(state.waiting())
    if state.failures:
        wanted = min(wanted, 1 - len(state.ordered(Stage.APPOINTED)))
    room = state.size + UNCLEARED_MOST - len(state.uncleared())
    return max(0, min(wanted, room))


def _filled(state: SparesState, context: Context) -> Sequence[SparesEvent]:
    if state.retry_at is not None and state.retry_at > context.now:
        return []
    return [_appointed(state, number, context) for number in range(1, missing(state) + 1)]


def _appointed(state: SparesState, number: int, context: Context) -> SparesEvent:
    assert state.id is not None
    amphora_id = AmphoraId(derived_id("amphora", state.id, str(state.appointed + number)))
    return events.SpareAppointed(
        spares_id=state.id,
        amphora_id=amphora_id,
        management_port_id=PortId(derived_id("management-port", amphora_id)),
        deadline_at=context.now + timedelta(seconds=context.limits.boot_s),
        avoid_hosts=tuple(sorted({spare.host for spare in state.waiting() if spare.host})),
    )


def _trimmed(state: SparesState) -> Sequence[SparesEvent]:
    """Dismiss what is one too many: first those still to come, then some of where most are."""
    assert state.id is not None
    rest, gone = state.waiting(), []
    while len(rest) > state.size:
        crowd = Counter(spare.host for spare in rest)
        last = max(rest, key=lambda spare: (spare.stage is Stage.APPOINTED, crowd[spare.host], spare.id))
        rest.remove(last)
        gone.append(last)
    reason = f"the pool shall hold {state.size}, and this is one too many"
    return [events.SpareDismissed(spares_id=state.id, amphora_id=spare.id, reason=reason) for spare in gone]
