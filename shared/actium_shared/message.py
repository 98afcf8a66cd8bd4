"""
The kinds of message: events, commands and the answers to asks; and the commit that carries events.

Field names of messages are the storage format: they are never renamed, only added to (with defaults).
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Anything that travels: `TYPE` is its stable name, `VERSION` grows when its shape changes."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1


class Event(Message, frozen=True, kw_only=True):
    """Something that happened; past tense, never taken back."""


class Command(Message, frozen=True, kw_only=True):
    """A wish to exactly one service. `TARGET` names the field whose value orders it: same target, same partition."""

    SERVICE: ClassVar[str]
    TARGET: ClassVar[str]

    @property
    def target(self) -> str:
        """What the command is about; commands of one target are handled in order."""
        return str(getattr(self, self.TARGET))


class Order(Command, frozen=True, kw_only=True):
    """A command that travels on the COMMANDS stream; a repeated one has the same `order_id` and does no harm."""

    @property
    def order_id(self) -> str:
        """`<type>/<target>/<generation>[/<attempt>]`: the stream drops a copy that carries the same one."""
        raise NotImplementedError


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who wished it, and in which request."""

    user_id: str
    project_id: str
    request_id: str


class Position(msgspec.Struct, frozen=True, order=True):
    """A place on one stream; sequences start at 1, 0 is before the first."""

    stream: str
    sequence: int


class Reason(StrEnum):
    """Why something is refused; the API has one table from here to HTTP."""

    INVALID = "invalid"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    IMMUTABLE = "immutable"
    QUOTA = "quota"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"


class Reply(Message, frozen=True, kw_only=True):
    """The answer to an ask."""


class Accepted(Reply, frozen=True, kw_only=True):
    """Done, or already true; a read model that has reached `position` shows it."""

    TYPE: ClassVar[str] = "reply.accepted"

    position: Position


class Rejected(Reply, frozen=True, kw_only=True):
    """A refusal. An answer, not an exception, and never an event."""

    TYPE: ClassVar[str] = "reply.rejected"

    reason: Reason
    detail: str
    field: str | None = None


class CommandCause(msgspec.Struct, frozen=True, kw_only=True, tag="command", tag_field="kind"):
    """The decision answered a command, kept here in full."""

    command: Command
    actor: Actor | None = None


class EventCause(msgspec.Struct, frozen=True, kw_only=True, tag="event", tag_field="kind"):
    """The decision answered another aggregate's commit, to be read at its position."""

    position: Position
    event_types: tuple[str, ...] = ()


class ClockCause(msgspec.Struct, frozen=True, kw_only=True, tag="clock", tag_field="kind"):
    """A deadline lapsed."""

    deadline: datetime


class WorkCause(msgspec.Struct, frozen=True, kw_only=True, tag="work", tag_field="kind"):
    """Work in the world had this outcome; `order_id` names the wish that started it."""

    order_id: str


Cause = CommandCause | EventCause | ClockCause | WorkCause


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """
    The events of one decision on one aggregate, and everything needed to explain it years later.

    `reads` are the positions (stream -> sequence) whose content the decision took into account.
    """

    id: str
    events: tuple[Event, ...]
    cause: Cause
    decided_at: datetime
    reads: Mapping[str, int] = {}
