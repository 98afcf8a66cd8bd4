"""
What happens to a rollout: amphorae of an image, certificate or age are replaced in waves. Written by the planner.

Appliances and pools of spares follow what it orders. Field names are the storage format.
"""

from datetime import datetime
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, RolloutId
from actium_shared.message import Event
from actium_shared.rollouts import Replacement, Selection


class RolloutEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""

    rollout_id: RolloutId


class RolloutStarted(RolloutEvent, frozen=True, kw_only=True):
    """
    `matching` amphorae shall be replaced, and those that come to match meanwhile; not what it has itself brought.

    `wave_size` at a time, never two of one appliance, `pause_between_s` between waves. It pauses by itself when more than
    `max_failures` could not be replaced. Without `to_image_tag` they boot from what a new load balancer's would.
    """

    TYPE: ClassVar[str] = "rollout.started"

    selection: Selection
    to_image_tag: str | None = None
    wave_size: int
    pause_between_s: float
    max_failures: int
    started_at: datetime
    matching: int


class ReplacementsOrdered(RolloutEvent, frozen=True, kw_only=True):
    """A wave begins; who is not replaced by `deadline_at` has failed. `left` still match besides."""

    TYPE: ClassVar[str] = "rollout.replacements-ordered"

    wave: int
    replacements: tuple[Replacement, ...]
    deadline_at: datetime
    left: int


class AmphoraReplaced(RolloutEvent, frozen=True, kw_only=True):
    """It answers no more, and its appliance serves in full without it; or the pool is full."""

    TYPE: ClassVar[str] = "rollout.amphora-replaced"

    amphora_id: AmphoraId
    appliance_id: ApplianceId


class ReplacementFailed(RolloutEvent, frozen=True, kw_only=True):
    """It was not replaced, and stays as far as it is there; what comes next on its appliance boots from `image_tag` again."""

    TYPE: ClassVar[str] = "rollout.replacement-failed"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    image_tag: str
    reason: str


class WaveEnded(RolloutEvent, frozen=True, kw_only=True):
    """Nothing of the wave is under way any more; the next begins at `next_at`."""

    TYPE: ClassVar[str] = "rollout.wave-ended"

    wave: int
    next_at: datetime


class RolloutPaused(RolloutEvent, frozen=True, kw_only=True):
    """What is under way is finished, and no other wave begins. `reason` is for people."""

    TYPE: ClassVar[str] = "rollout.paused"

    reason: str


class RolloutResumed(RolloutEvent, frozen=True, kw_only=True):
    """It goes on; who could not be replaced before is tried again."""

    TYPE: ClassVar[str] = "rollout.resumed"


class RolloutAborted(RolloutEvent, frozen=True, kw_only=True):
    """It ends with what is under way. What was replaced stays replaced."""

    TYPE: ClassVar[str] = "rollout.aborted"

    reason: str


class RolloutEnded(RolloutEvent, frozen=True, kw_only=True):
    """Nothing of it is under way, and nothing more follows. `left` still match."""

    TYPE: ClassVar[str] = "rollout.ended"

    left: int


EVENTS = (
    RolloutStarted,
    ReplacementsOrdered,
    AmphoraReplaced,
    ReplacementFailed,
    WaveEnded,
    RolloutPaused,
    RolloutResumed,
    RolloutAborted,
    RolloutEnded,
)
