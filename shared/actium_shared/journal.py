"""A service's own log: append what happened and go on when the service's own tables contain it. No decision here."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from actium_shared import streams
from actium_shared.clock import Clock
from actium_shared.codec import CODEC
from actium_shared.event_store import EventStore, Recorded, commit_envelope
from actium_shared.ids import derived_id
from actium_shared.message import Cause, Commit, Event, Position
from actium_shared.read_model import Positions
from actium_shared.telemetry import correlation_id, traceparent

OWN_WRITE_TIMEOUT_S = 10.0
"""From append to own tables takes a millisecond; after this something is broken, and the work is repeated."""

CATCH_UP_BATCH = 256


class Journal:
    """
    Appends commits of `service`; each returns when the tables contain it, so that the next decision sees it.

    `apply` brings the tables up to date, as the service's feeds do; `apply_next` does so with one that was just appended
    where nothing of others came in between, rather than wait until it comes back. Raises, from all of its methods:
        VersionConflictError: the aggregate moved: read the tables again and decide again.
        RetryableError: the bus is not there, or the outcome is unknown; repeating is safe.
    """

    def __init__(
        self,
        service: str,
        store: EventStore,
        positions: Positions,
        apply: Callable[[Sequence[Recorded]], Awaitable[object]],
        *,
        apply_next: Callable[[Recorded], Awaitable[object]] | None = None,
        clock: Clock,
    ) -> None:
        self._service = service
        self._store = store
        self._positions = positions
        self._apply = apply
        self._apply_next = apply_next
        self._clock = clock

    async def append(
        self,
        subject: str,
        events: Sequence[Event],
        *,
        cause: Cause,
        expected: int,
        reads: Mapping[str, int] | None = None,
        causation_id: str | None = None,
        deadline: float | None = None,
    ) -> Position:
        """Append one commit and wait for the own tables. `reads`: by default what they contain of the own stream."""
        own = streams.events_of(self._service)
        commit = Commit(
            id=_commit_id(subject, expected, events),
            events=tuple(events),
            cause=cause,
            decided_at=self._clock.now(),
            reads=reads or {own: self._positions.of(own)},
        )
        envelope = commit_envelope(
            commit,
            source=self._service,
            correlation_id=correlation_id.get(),
            causation_id=causation_id,
            traceparent=traceparent(),
        )
        position = await self._store.append(subject, commit, expected=expected, envelope=envelope, deadline=deadline)
        if self._apply_next is not None:
            at = commit.decided_at  # near enough to when it was stored, and on nobody's decision
            await self._apply_next(
                Recorded(commit=commit, envelope=envelope, subject=subject, position=position, stored_at=at)
            )
        await self._positions.wait_for(position, timeout_s=OWN_WRITE_TIMEOUT_S)
        return position

    async def catch_up(self, stream: str, *, subjects: tuple[str, ...] = ()) -> None:
        """Read a stream to its end, as its feed will; at start, before its feed runs and before anything is decided."""
        batch: list[Recorded] = []
        async for item in self._store.read(stream, after=self._positions.of(stream), subjects=subjects):
            batch.append(item)
            if len(batch) == CATCH_UP_BATCH:
                await self._apply(batch)
                batch = []
        await self._apply(batch)


def _commit_id(subject: str, expected: int, events: Sequence[Event]) -> str:
    # The same decision in the same place, repeated after a crash, is the same commit; another decision is not.
    digest = hashlib.sha256(b"".join(event.TYPE.encode() + b"\0" + CODEC.encode(event) for event in events))
    return derived_id("commit", subject, str(expected), digest.hexdigest())
