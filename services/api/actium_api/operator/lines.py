"""One delivery of the log as lines for people and programs, one an event. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from actium_api.operator import words
from actium_api.operator.relations import Relations
from actium_shared.bus import Delivery
from actium_shared.errors import UnreadableError
from actium_shared.event_store import Recorded, recorded
from actium_shared.message import Actor, Cause, ClockCause, CommandCause, Event, EventCause, Position, WorkCause

UNREADABLE = "unreadable"
"""The `type` of a line for what this version cannot decode: shown, never guessed and never left out."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The line in words."""

    what: str
    why: str = ""
    who: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """
    One event. `position` is its commit's, `index` its place in it; `time` is when the log took it.

    `cause` is told in full in the first line of a commit; in the others a command is only named.
    """

    position: str
    index: int
    time: datetime
    aggregate: str
    aggregate_id: str
    type: str
    version: int
    words: Words
    commit_id: str | None = None
    decided_at: datetime | None = None
    correlation_id: str | None = None
    load_balancer_id: str | None = None
    actor: Actor | None = None
    cause: dict[str, Any] | None = None
    body: Any = None


def lines(delivery: Delivery, relations: Relations, *, load_balancer_id: str | None = None) -> Iterator[Line]:
    """Give a line for each event; `load_balancer_id` is told where several load balancers are concerned."""
    try:
        commit = recorded(delivery)
    except UnreadableError as exc:
        yield _unreadable(delivery, exc)
        return
    concerned = relations.load_balancers(commit.aggregate, commit.aggregate_id)
    told = load_balancer_id or next(iter(concerned), None)
    for index, event in enumerate(commit.commit.events):
        yield _line(commit, event, index=index, load_balancer_id=told)


def told_once(told: Iterable[Line]) -> Iterator[Line]:
    """Leave out the body of a cause that the line before had: a batch is as large as all events that it causes."""
    position = None
    for line in told:
        yield msgspec.structs.replace(line, cause=_named(line.cause)) if line.position == position else line
        position = line.position


def _named(cause: dict[str, Any] | None) -> dict[str, Any] | None:
    if cause is None or "command" not in cause:
        return cause
    return cause | {"command": {name: value for name, value in cause["command"].items() if name != "body"}}


def _line(commit: Recorded, event: Event, *, index: int, load_balancer_id: str | None) -> Line:
    cause = commit.commit.cause
    actor = cause.actor if isinstance(cause, CommandCause) else commit.envelope.actor
    return Line(
        position=written(commit.position),
        index=index,
        time=commit.stored_at,
        decided_at=commit.commit.decided_at,
        aggregate=commit.aggregate,
        aggregate_id=commit.aggregate_id,
        type=event.TYPE,
        version=event.VERSION,
        commit_id=commit.commit.id,
        correlation_id=commit.envelope.correlation_id,
        load_balancer_id=load_balancer_id,
        actor=actor,
        cause=_cause(cause),
        body=event,
        words=Words(what=words.what(event, cause), why=words.why(cause), who=words.who(actor)),
    )


def _cause(cause: Cause) -> dict[str, Any]:
    match cause:
        case CommandCause(command=command):
            told = {"type": command.TYPE, "version": command.VERSION, "body": command}
            return {"kind": "command", "command": told}
        case EventCause(position=position, event_types=event_types):
            return {"kind": "event", "position": written(position), "event_types": event_types}
        case ClockCause(deadline=deadline):
            return {"kind": "clock", "deadline": deadline}
        case WorkCause(order_id=order_id):
            return {"kind": "work", "order_id": order_id}


def _unreadable(delivery: Delivery, exc: UnreadableError) -> Line:
    _, _, aggregate, aggregate_id = delivery.subject.split(".", 3)
    return Line(
        position=written(Position(delivery.stream, delivery.sequence)),
        index=0,
        time=delivery.time,
        aggregate=aggregate,
        aggregate_id=aggregate_id,
        type=UNREADABLE,
        version=0,
        words=Words(what=f"this version cannot read it: {exc}"),
    )


def written(position: Position) -> str:
    """Give a position as people write it, `<stream>:<sequence>`."""
    return f"{position.stream}:{position.sequence}"
