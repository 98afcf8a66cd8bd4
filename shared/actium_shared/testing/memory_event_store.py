"""A log in memory for unit tests; it passes the same contract as the one on JetStream."""

import asyncio
from collections.abc import AsyncIterator

from actium_shared import streams
from actium_shared.codec import CODEC
from actium_shared.envelope import Envelope
from actium_shared.errors import VersionConflictError
from actium_shared.event_store import READ_TIMEOUT_S, Recorded
from actium_shared.message import Commit, Position


class MemoryEventStore:
    """Keeps what JetStream would keep, encoded and decoded as on the wire."""

    def __init__(self) -> None:
        self._streams: dict[str, list[Recorded]] = {}
        self._changed = asyncio.Event()

    async def append(
        self,
        subject: str,
        commit: Commit,
        *,
        expected: int,
        envelope: Envelope,
        deadline: float | None = None,  # noqa: ARG002 - memory does not wait
    ) -> Position:
        stream = streams.events_of(subject.split(".")[1])
        log = self._streams.setdefault(stream, [])
        last = next((item for item in reversed(log) if item.subject == subject), None)
        if last is not None and last.commit.id == commit.id:
            return last.position
        if (last.position.sequence if last else 0) != expected:
            raise VersionConflictError(f"{subject}: not at {expected}")
        position = Position(stream, len(log) + 1)
        log.append(
            Recorded(
                commit=CODEC.decode_commit(CODEC.encode_commit(commit)),
                envelope=Envelope.from_headers(envelope.to_headers()),
                subject=subject,
                position=position,
                stored_at=commit.decided_at,
            )
        )
        self._changed.set()
        self._changed = asyncio.Event()
        return position

    async def read(
        self,
        stream: str,
        *,
        after: int,
        subjects: tuple[str, ...] = (),
        timeout_s: float = READ_TIMEOUT_S,  # noqa: ARG002 - memory does not wait
    ) -> AsyncIterator[Recorded]:
        for item in list(self._streams.get(stream, []))[after:]:
            if not subjects or item.subject in subjects:
                yield item

    async def follow(self, stream: str, *, after: int, subjects: tuple[str, ...] = ()) -> AsyncIterator[Recorded]:
        while True:
            changed = self._changed
            async for item in self.read(stream, after=after, subjects=subjects):
                after = item.position.sequence
                yield item
            await changed.wait()
