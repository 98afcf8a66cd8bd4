"""What operators decide on messages that a service could not digest. They stand among the letters themselves, on DEAD_LETTERS."""

from typing import ClassVar

from actium_shared.message import Event


class DeadLetterEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events. `letter` is its sequence on the stream; `reason` is the operator's, for people."""

    letter: int
    service: str
    reason: str


class DeadLetterRetried(DeadLetterEvent, frozen=True, kw_only=True):
    """The service that had parked the message has handled it now."""

    TYPE: ClassVar[str] = "dead-letter.retried"


class DeadLetterSkipped(DeadLetterEvent, frozen=True, kw_only=True):
    """Nobody will handle the message any more."""

    TYPE: ClassVar[str] = "dead-letter.skipped"


EVENTS = (DeadLetterRetried, DeadLetterSkipped)
