"""What operators ask of the planner about rollouts: amphorae of an image, certificate or age replaced in waves."""

from typing import ClassVar

from actium_shared.ids import RolloutId
from actium_shared.message import Command
from actium_shared.rollouts import Selection


class RolloutCommand(Command, frozen=True, kw_only=True):
    """Base of this module's commands."""

    SERVICE: ClassVar[str] = "planner"
    TARGET: ClassVar[str] = "rollout_id"

    rollout_id: RolloutId


class StartRollout(RolloutCommand, frozen=True, kw_only=True):
    """
    Replace what matches, `wave_size` at a time or, where it is above 0, `wave_percent` of what matches at the start.

    Successors boot from `to_image_tag` or, without it, from what a load balancer of that flavor that is made now would. One
    that overlaps with another rollout that has not ended is refused.
    """

    TYPE: ClassVar[str] = "rollout.start"

    selection: Selection
    to_image_tag: str | None = None
    wave_size: int = 1
    wave_percent: int = 0
    pause_between_s: float = 0.0
    max_failures: int = 0


class PauseRollout(RolloutCommand, frozen=True, kw_only=True):
    """Begin no other wave."""

    TYPE: ClassVar[str] = "rollout.pause"

    reason: str = ""


class ResumeRollout(RolloutCommand, frozen=True, kw_only=True):
    """Go on."""

    TYPE: ClassVar[str] = "rollout.resume"


class AbortRollout(RolloutCommand, frozen=True, kw_only=True):
    """Begin no other wave, ever. What is under way is finished; what was replaced stays so."""

    TYPE: ClassVar[str] = "rollout.abort"

    reason: str = ""


COMMANDS = (StartRollout, PauseRollout, ResumeRollout, AbortRollout)
