"""What can be asked of any service: to handle a message again that it could not digest, or to let it be."""

from typing import ClassVar

from actium_shared.message import Command


class DeadLetterCommand(Command, frozen=True, kw_only=True):
    """Base of this module's commands. Asked of the service that `service` names, and of no partition of it."""

    SERVICE: ClassVar[str] = "*"
    TARGET: ClassVar[str] = "letter"

    letter: int
    service: str
    reason: str


class RetryDeadLetter(DeadLetterCommand, frozen=True, kw_only=True):
    """Handle it now. Answered by `Accepted` when that is done, by `Rejected` where it still cannot be."""

    TYPE: ClassVar[str] = "dead-letter.retry"


class SkipDeadLetter(DeadLetterCommand, frozen=True, kw_only=True):
    """Call it settled without handling it. Answered by `Accepted`."""

    TYPE: ClassVar[str] = "dead-letter.skip"


COMMANDS = (RetryDeadLetter, SkipDeadLetter)
