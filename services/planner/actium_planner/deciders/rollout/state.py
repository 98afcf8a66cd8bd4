"""What is true of one rollout, and how events change it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from immutables import Map

from actium_shared.events import rollout as events
from actium_shared.events.rollout import RolloutEvent
from actium_shared.ids import AmphoraId, ApplianceId, RolloutId
from actium_shared.rollouts import Selection


class Status(Enum):
    """What it does: begin waves, or none for now, or none any more; ENDED when nothing of it is under way either."""

    RUNNING = 1
    PAUSED = 2
    ABORTED = 3
    ENDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """One amphora that is being replaced."""

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    image_tag: str
    from_image_tag: str
    deadline_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """
    One rollout. `wave` counts from 1; `in_wave` until it is told that the wave has ended, which may be after a pause.

    `failed` are those that could not be replaced since it was started or resumed.
    """

    id: RolloutId | None = None
    selection: Selection = field(default_factory=Selection)
    to_image_tag: str | None = None
    wave_size: int = 1
    pause_between_s: float = 0.0
    max_failures: int = 0
    started_at: datetime | None = None
    status: Status = Status.RUNNING
    wave: int = 0
    in_wave: bool = False
    next_at: datetime | None = None
    under_way: Map[AmphoraId, UnderWay] = field(default_factory=Map)
    failed: Map[AmphoraId, str] = field(default_factory=Map)

    @property
    def is_active(self) -> bool:
        """Whether it has begun and not ended."""
        return self.id is not None and self.status is not Status.ENDED

    def ordered(self) -> list[UnderWay]:
        """Give what is under way in an order that is the same everywhere: maps are iterated by hash."""
        return sorted(self.under_way.values(), key=lambda one: one.amphora_id)


def fold(state: RolloutState, happened: Iterable[RolloutEvent]) -> RolloutState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(state: RolloutState, event: RolloutEvent) -> RolloutState:
    """Give the state after one event."""
    match event:
        case events.RolloutStarted():
            return _started(state, event)
        case events.ReplacementsOrdered():
            return _ordered(state, event)
        case events.AmphoraReplaced(amphora_id=amphora_id):
            return replace(state, under_way=state.under_way.delete(amphora_id))
        case events.ReplacementFailed(amphora_id=amphora_id, reason=reason):
            failed = state.failed.set(amphora_id, reason)
            return replace(state, under_way=state.under_way.delete(amphora_id), failed=failed)
        case events.WaveEnded(next_at=next_at):
            return replace(state, in_wave=False, next_at=next_at)
        case events.RolloutPaused():
            return replace(state, status=Status.PAUSED)
        case events.RolloutResumed():
            return replace(state, status=Status.RUNNING, failed=Map(), next_at=None)
        case events.RolloutAborted():
            return replace(state, status=Status.ABORTED)
        case events.RolloutEnded():
            return replace(state, status=Status.ENDED)
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")


def _started(state: RolloutState, event: events.RolloutStarted) -> RolloutState:
    return replace(
        state,
        id=event.rollout_id,
        selection=event.selection,
        to_image_tag=event.to_image_tag,
        wave_size=event.wave_size,
        pause_between_s=event.pause_between_s,
        max_failures=event.max_failures,
        started_at=event.started_at,
    )


def _ordered(state: RolloutState, event: events.ReplacementsOrdered) -> RolloutState:
    under_way = {
        each.amphora_id: UnderWay(
            amphora_id=each.amphora_id,
            appliance_id=each.appliance_id,
            image_tag=each.image_tag,
            from_image_tag=each.from_image_tag,
            deadline_at=event.deadline_at,
        )
        for each in event.replacements
    }
    return replace(state, wave=event.wave, in_wave=True, under_way=state.under_way.update(under_way))
