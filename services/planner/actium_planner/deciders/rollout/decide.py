"""What happens to a rollout on an operator's word, and what follows from what has become of the amphorae that it is about."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from actium_planner.deciders.rollout import selection as selections
from actium_planner.deciders.rollout.selection import Running
from actium_planner.deciders.rollout.state import RolloutState, Status, UnderWay, fold
from actium_planner.validation.refusals import conflict, invalid, missing
from actium_shared.commands.planner import (
    AbortRollout,
    PauseRollout,
    ResumeRollout,
    RolloutCommand,
    StartRollout,
)
from actium_shared.events import rollout as events
from actium_shared.events.rollout import RolloutEvent
from actium_shared.ids import AmphoraId, ApplianceId, RolloutId
from actium_shared.message import Rejected
from actium_shared.rollouts import Replacement, Selection

Happened = Sequence[RolloutEvent]
Refusals = Mapping[ApplianceId, str]
"""Appliances and pools that have just said that they can have nobody for now, and why."""

WAVE_MOST = 1000
ALL_PERCENT = 100
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """
    What decisions about a rollout look at besides it.

    `running` gives the fleet as it is now, `is_replaced` whether one is gone and nothing is missing without it. `busy` are
    amphorae that another rollout replaces, `others` the selections of those that have not ended, `older` those of them that
    began before this one. `is_current`: the fleet is known as far as this rollout is. Where another planner has it further,
    we would see again what is replaced already; what that one appended comes to us, too, and all is asked again then.
    """

    now: datetime
    replace_s: float
    running: Callable[[], Sequence[Running]]
    is_replaced: Callable[[UnderWay], bool]
    refusals: Refusals = field(default_factory=dict)
    busy: Collection[AmphoraId] = ()
    others: Mapping[RolloutId, Selection] = field(default_factory=dict)
    older: Collection[RolloutId] = ()
    is_current: bool = True


# -- an operator's word


def decide(command: RolloutCommand, state: RolloutState, context: Context) -> Happened | Rejected:
    """Give what happens on an operator's word; nothing on one that is said again."""
    if isinstance(command, StartRollout):
        return [] if state.id else _start(command, state, context)
    if state.id is None:
        return missing("Rollout", command.rollout_id)
    if state.status is Status.ENDED:
        return conflict(f"Rollout {state.id} has ended; start another one.")
    happened = _told(command, state, state.id)
    if isinstance(happened, Rejected) or not happened:
        return happened
    return [*happened, *advance(fold(state, happened), context)]


def _told(command: RolloutCommand, state: RolloutState, rollout_id: RolloutId) -> Happened | Rejected:
    match command:
        case PauseRollout() | ResumeRollout() if state.status is Status.ABORTED:
            return conflict(f"Rollout {rollout_id} is aborted, and only finishes what is under way; start another one.")
        case PauseRollout(reason=reason):
            paused = events.RolloutPaused(rollout_id=rollout_id, reason=reason or "on an operator's word")
            return [paused] if state.status is Status.RUNNING else []
        case ResumeRollout():
            return [events.RolloutResumed(rollout_id=rollout_id)] if state.status is Status.PAUSED else []
        case AbortRollout(reason=reason):
            aborted = events.RolloutAborted(rollout_id=rollout_id, reason=reason or "on an operator's word")
            return [] if state.status is Status.ABORTED else [aborted]
        case _:
            raise AssertionError(f"{command.TYPE} is not known here")


def _start(command: StartRollout, state: RolloutState, context: Context) -> Happened | Rejected:
    refusal = _out_of_range(command) or _meaningless(command) or _overlapping(command, context)
    if refusal is not None:
        return refusal
    matching = [one for one in context.running() if _is_wanted(command, one, context.now)]
    if not matching:
        return _nothing_matches(command, context)
    share = -(-len(matching) * command.wave_percent // ALL_PERCENT)
    started = events.RolloutStarted(
        rollout_id=command.rollout_id,
        selection=command.selection,
        to_image_tag=command.to_image_tag,
        wave_size=max(1, share) if command.wave_percent else command.wave_size,
        pause_between_s=command.pause_between_s,
        max_failures=command.max_failures,
        started_at=context.now,
        matching=len(matching),
    )
    return [started, *advance(fold(state, [started]), context)]


def _out_of_range(command: StartRollout) -> Rejected | None:
    limits = {
        "wave_size": (1, WAVE_MOST),
        "wave_percent": (0, ALL_PERCENT),
        "pause_between_s": (0, DAY_S),
        "max_failures": (0, WAVE_MOST),
    }
    for name, (least, most) in limits.items():
        if not least <= getattr(command, name) <= most:
            return invalid(f"must be from {least:g} to {most:g}, and is {getattr(command, name):g}", field=name)
    return None


def _meaningless(command: StartRollout) -> Rejected | None:
    chosen = command.selection
    if selections.is_empty(chosen):
        return invalid(
            "says nothing: name an image, a certificate's end, an age, a driver or a flavor", field="selection"
        )
    if command.to_image_tag == "":
        return invalid("must not be empty; leave it out for what new load balancers get", field="to_image_tag")
    for name in ("certificate_expires_before", "booted_before"):
        at = getattr(chosen, name)
        if at is not None and at.tzinfo is None:
            return invalid("must say its time zone, like 2026-01-31T12:00:00Z", field=f"selection.{name}")
    return None


def _overlapping(command: StartRollout, context: Context) -> Rejected | None:
    for other_id, other in sorted(context.others.items()):
        if selections.overlap(command.selection, other):
            return conflict(
                f"Rollout {other_id}, which has not ended, may be about the same amphorae: wait for it or abort it."
            )
    return None


def _is_wanted(command: StartRollout, one: Running, now: datetime) -> bool:
    return selections.wanted(command.selection, one, to_image_tag=command.to_image_tag, since=now)


def _nothing_matches(command: StartRollout, context: Context) -> Rejected:
    same = [one for one in context.running() if selections.matches(command.selection, one)]
    if not same:
        return invalid("No amphora matches.", field="selection")
    images = sorted({selections.target(one, command.to_image_tag) for one in same})
    detail = f"{len(same)} match, and would boot from the image that they have ({', '.join(images)}): name another one."
    return invalid(detail, field="to_image_tag")


# -- what follows


def advance(state: RolloutState, context: Context) -> Happened:
    """Give what follows from what is true: who is replaced, the end of a wave, the next one, the end of all."""
    if state.id is None or not state.is_active or not context.is_current:
        return []
    happened: list[RolloutEvent] = [*_overtaken(state, state.id, context), *_outcomes(state, state.id, context)]
    happened += _end_of_wave(fold(state, happened), state.id, context)
    grown = fold(state, happened)
    if grown.under_way:
        return [*happened, *_pause_if_failing(grown, state.id)]
    if grown.status is Status.ABORTED:
        return [*happened, events.RolloutEnded(rollout_id=state.id, left=len(_left(grown, context)))]
    happened += _pause_if_failing(grown, state.id)
    if fold(state, happened).status is Status.RUNNING and (grown.next_at is None or grown.next_at <= context.now):
        happened += _next_wave(grown, state.id, context)
    return happened


def _overtaken(state: RolloutState, rollout_id: RolloutId, context: Context) -> Happened:
    """End it for an older one that may be about the same amphorae: two planners have let them begin at the same time."""
    if state.status is Status.ABORTED:
        return []
    rivals = [other for other in sorted(context.older) if selections.overlap(state.selection, context.others[other])]
    reason = "rollout {}, which began before it, may be about the same amphorae"
    return [events.RolloutAborted(rollout_id=rollout_id, reason=reason.format(other)) for other in rivals[:1]]


def _outcomes(state: RolloutState, rollout_id: RolloutId, context: Context) -> Iterator[RolloutEvent]:
    for one in state.ordered():
        if context.is_replaced(one):
            yield events.AmphoraReplaced(
                rollout_id=rollout_id, amphora_id=one.amphora_id, appliance_id=one.appliance_id
            )
            continue
        reason = context.refusals.get(one.appliance_id)
        if reason is None and one.deadline_at <= context.now:
            reason = f"it was not replaced within {context.replace_s:.0f} s"
        if reason is not None:
            yield events.ReplacementFailed(
                rollout_id=rollout_id,
                amphora_id=one.amphora_id,
                appliance_id=one.appliance_id,
                image_tag=one.from_image_tag,
                reason=reason,
            )


def _end_of_wave(state: RolloutState, rollout_id: RolloutId, context: Context) -> Happened:
    if state.under_way or not state.in_wave:
        return []
    next_at = context.now + timedelta(seconds=state.pause_between_s)
    return [events.WaveEnded(rollout_id=rollout_id, wave=state.wave, next_at=next_at)]


def _pause_if_failing(state: RolloutState, rollout_id: RolloutId) -> Happened:
    if state.status is not Status.RUNNING or len(state.failed) <= state.max_failures:
        return []
    amphora_id, reason = max(state.failed.items())
    allowed = f"{state.max_failures} allowed" if state.max_failures else "none allowed"
    text = f"{len(state.failed)} could not be replaced, {allowed}; amphora {amphora_id}: {reason}"
    return [events.RolloutPaused(rollout_id=rollout_id, reason=text)]


def _next_wave(state: RolloutState, rollout_id: RolloutId, context: Context) -> Happened:
    left = _left(state, context)
    wave: dict[ApplianceId, Running] = {}
    for one in sorted(left, key=lambda each: (not each.spare, each.master, each.amphora_id)):
        if one.there and one.amphora_id not in context.busy and len(wave) < state.wave_size:
            wave.setdefault(one.appliance_id, one)
    if not wave:
        return [] if left else [events.RolloutEnded(rollout_id=rollout_id, left=0)]
    return [
        events.ReplacementsOrdered(
            rollout_id=rollout_id,
            wave=state.wave + 1,
            replacements=tuple(_replacement(state, one) for one in wave.values()),
            deadline_at=context.now + timedelta(seconds=context.replace_s),
            left=len(left) - len(wave),
        )
    ]


def _replacement(state: RolloutState, one: Running) -> Replacement:
    return Replacement(
        amphora_id=one.amphora_id,
        appliance_id=one.appliance_id,
        image_tag=selections.target(one, state.to_image_tag),
        from_image_tag=one.image_tag,
    )


def _left(state: RolloutState, context: Context) -> list[Running]:
    """Give those that are still to be replaced, less those that could not be."""
    assert state.started_at is not None
    return [
        one
        for one in context.running()
        if one.amphora_id not in state.failed
        and selections.wanted(state.selection, one, to_image_tag=state.to_image_tag, since=state.started_at)
    ]


def deadlines(state: RolloutState) -> Iterator[datetime]:
    """Give the times at which `advance` may have something to say that nothing else leads to."""
    if not state.is_active:
        return
    for one in state.ordered():
        yield one.deadline_at
    if state.status is Status.RUNNING and not state.under_way and state.next_at is not None:
        yield state.next_at
