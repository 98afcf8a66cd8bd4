"""The shell around every decision: load, decide, append, and again when somebody else was faster."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from actium_planner.states import STREAM, Aggregates, Answered, Held, digest
from actium_shared.clock import Clock
from actium_shared.envelope import CALLERS_ID, Envelope
from actium_shared.errors import VersionConflictError
from actium_shared.event_store import EventStore, commit_envelope
from actium_shared.ids import Ids
from actium_shared.message import Cause, Commit, Event, EventCause, Position, Reason, Rejected
from actium_shared.telemetry import correlation_id, traceparent

log = logging.getLogger(__name__)

S = TypeVar("S")
MAX_RACES = 5
CATCH_UP_S = 5.0
"""For reading what others appended, under the aggregate's lock."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Decides on aggregates and puts what happened on the log."""

    store: EventStore
    clock: Clock
    ids: Ids

    async def decide(
        self,
        aggregates: Aggregates[S],
        aggregate_id: str,
        decision: Callable[[S, datetime], Sequence[Event] | Rejected],
        *,
        cause: Cause,
        reads: Callable[[S], Mapping[str, int]] | None = None,
        deadline: float | None = None,
        causation_id: str | None = None,
    ) -> Position | Rejected:
        """
        Give the position of what was decided, or of the aggregate's last commit when nothing new happened.

        A command that its caller has named is decided on once: its id is the commit's, and is looked up first.
        `reads` tells the positions of what else the decision looks at; `deadline` is monotonic seconds; no append is begun after it.

        Raises:
            VersionConflictError: others were faster too many times.
            RetryableError: the log does not answer; the outcome is unknown.
        """
        async with aggregates.locked(aggregate_id) as held:
            named = _commit_of(causation_id, held)
            for _ in range(MAX_RACES):
                if named in held.answered:
                    return _answer_again(held.answered[named], cause)
                if isinstance(cause, EventCause) and held.knows(cause.position):
                    return Position(STREAM, held.sequence)
                now = self.clock.now()
                events = decision(held.state, now)
                if isinstance(events, Rejected):
                    log.info(
                        "refused", extra={"aggregate": held.subject, "reason": events.reason, "detail": events.detail}
                    )
                    return events
                if not events:
                    return Position(STREAM, held.sequence)
                commit = Commit(
                    id=named or self.ids.new(),
                    events=tuple(events),
                    cause=cause,
                    decided_at=now,
                    reads=dict(reads(held.state)) if reads else {},
                )
                try:
                    envelope = self._envelope(commit, causation_id)
                    position = await self.store.append(
                        held.subject, commit, expected=held.sequence, envelope=envelope, deadline=deadline
                    )
                except VersionConflictError:
                    await self._catch_up(aggregates, aggregate_id, held)
                else:
                    aggregates.absorb(aggregate_id, commit, position)
                    return position
            raise VersionConflictError(f"{held.subject}: lost {MAX_RACES} races")

    def _envelope(self, commit: Commit, causation_id: str | None) -> Envelope:
        return commit_envelope(
            commit,
            source="planner",
            correlation_id=correlation_id.get(),
            causation_id=causation_id,
            traceparent=traceparent(),
        )

    async def _catch_up(self, aggregates: Aggregates[Any], aggregate_id: str, held: Held[Any]) -> None:
        async for recorded in self.store.read(
            STREAM, after=held.sequence, subjects=(held.subject,), timeout_s=CATCH_UP_S
        ):
            aggregates.absorb(aggregate_id, recorded.commit, recorded.position)


def _answer_again(answered: Answered, cause: Cause) -> Position | Rejected:
    if answered.digest == digest(cause):
        return Position(STREAM, answered.sequence)
    detail = "The command's id is that of another command, which was accepted before: each needs an id of its own."
    return Rejected(reason=Reason.CONFLICT, detail=detail, field="id")


def _commit_of(command_id: str | None, held: Held[Any]) -> str | None:
    """Give the commit id of a command that its caller has named: the same only for the same command on the same thing."""
    if command_id is None or not command_id.startswith(CALLERS_ID):
        return None
    return f"{command_id}/{held.subject}"
