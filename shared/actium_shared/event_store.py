"""The log: append one commit to one aggregate, read commits back. JetStream in every world, memory in unit tests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from actium_shared import streams
from actium_shared.bus import ApiError, Bus, Delivery
from actium_shared.clock import Clock, SystemClock
from actium_shared.codec import CODEC
from actium_shared.envelope import COMMIT_TYPE, Envelope
from actium_shared.errors import PermanentError, RetryableError, VersionConflictError
from actium_shared.failpoints import FAILPOINTS
from actium_shared.message import Commit, Position

log = logging.getLogger(__name__)

APPEND_RETRY_S = 15.0
"""A leader change takes NATS 4 to 7 s."""

ATTEMPT_TIMEOUT_S = 2.0
PAUSE_S = 0.1
READ_TIMEOUT_S = 15.0
"""As long as an append may take: who reads often holds back others meanwhile."""

HEADERS_MOST_BYTES = 65_536
EVENT_TYPES = "actium-events"
"""The header that names the types of a commit's events: who reads none of them need not decode it. Old ones lack it."""

WRONG_LAST_SEQUENCE = (10071, 10164)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A commit as it stands on the log."""

    commit: Commit
    envelope: Envelope
    subject: str
    position: Position
    stored_at: datetime

    @property
    def aggregate(self) -> str:
        """Which kind of thing it is about: the third token of the subject."""
        return self.subject.split(".")[2]

    @property
    def aggregate_id(self) -> str:
        """Which one it is about, as its owner knows it: the subject holds it encoded."""
        return streams.untoken(self.subject.split(".", 3)[3])


class EventStore(Protocol):
    """Where one service appends and anyone reads."""

    async def append(
        self, subject: str, commit: Commit, *, expected: int, envelope: Envelope, deadline: float | None = None
    ) -> Position:
        """
        Append the commit if `expected` is the sequence of the aggregate's last one (0: it has none).

        The same commit (by id) again is recognised and gives the position it has. `deadline` is monotonic seconds;
        nothing is sent after it.

        Raises:
            VersionConflictError: somebody else appended first; nothing is written.
            RetryableError: unknown outcome, or the deadline is over.
            PermanentError: the log refuses the message.
        """
        ...

    def read(
        self, stream: str, *, after: int, subjects: tuple[str, ...] = (), timeout_s: float = READ_TIMEOUT_S
    ) -> AsyncIterator[Recorded]:
        """
        Give the commits behind sequence `after` up to the present end, in order.

        Raises:
            RetryableError: the next one, or the end, did not come within `timeout_s`.
        """
        ...

    def follow(self, stream: str, *, after: int, subjects: tuple[str, ...] = ()) -> AsyncIterator[Recorded]:
        """Give the commits behind sequence `after`, in order, waiting for new ones for ever."""
        ...


class JetStreamEventStore:
    """The log on JetStream: one message per commit."""

    def __init__(self, bus: Bus, *, clock: Clock | None = None) -> None:
        self._bus = bus
        self._clock = clock or SystemClock()

    async def append(
        self, subject: str, commit: Commit, *, expected: int, envelope: Envelope, deadline: float | None = None
    ) -> Position:
        point = f"append.{commit.events[-1].TYPE}"
        FAILPOINTS.reach(f"{point}.before")
        position = await self._append(subject, commit, expected, envelope, deadline)
        FAILPOINTS.reach(f"{point}.after")
        return position

    async def _append(
        self, subject: str, commit: Commit, expected: int, envelope: Envelope, deadline: float | None
    ) -> Position:
        body = CODEC.encode_commit(commit)
        if len(body) > (most := streams.MAX_PAYLOAD_BYTES - HEADERS_MOST_BYTES):
            raise PermanentError(f"the change is too large to be kept: {len(body)} bytes, at most {most} are possible")
        headers = envelope.to_headers() | {
            EVENT_TYPES: ",".join(sorted({event.TYPE for event in commit.events})),
            "Nats-Msg-Id": commit.id,
            "Nats-Expected-Last-Subject-Sequence": str(expected),
            "Nats-Expected-Last-Subject-Sequence-Subject": subject,
        }
        give_up = self._clock.monotonic() + APPEND_RETRY_S
        give_up = min(give_up, deadline) if deadline is not None else give_up
        last: RetryableError | None = None
        while (left_s := give_up - self._clock.monotonic()) > 0:
            try:
                timeout_s = min(ATTEMPT_TIMEOUT_S, left_s)
                answer = await self._bus.store(subject, body, headers=headers, timeout_s=timeout_s)
                return Position(answer["stream"], int(answer["seq"]))
            except ApiError as exc:
                if exc.code not in WRONG_LAST_SEQUENCE:
                    raise
                return await self._own_or_conflict(subject, commit, exc)
            except RetryableError as exc:
                last = exc
            await self._clock.sleep(PAUSE_S)
        raise RetryableError(f"not appended to {subject} in time: {last or 'the deadline was over before'}") from last

    async def _own_or_conflict(self, subject: str, commit: Commit, refusal: ApiError) -> Position:
        # A retried append runs into its own first try: the ids tell.
        stream = streams.events_of(subject.split(".")[1])
        try:
            last = await self._bus.request(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"", timeout_s=ATTEMPT_TIMEOUT_S)
        except RetryableError:
            log.warning("cannot tell own append from a conflict", extra={"subject": subject})
            raise
        headers = last.headers or {}
        if headers.get("Nats-Msg-Id") == commit.id:
            return Position(stream, int(headers["Nats-Sequence"]))
        raise VersionConflictError(f"{subject}: {refusal}") from refusal

    async def read(
        self, stream: str, *, after: int, subjects: tuple[str, ...] = (), timeout_s: float = READ_TIMEOUT_S
    ) -> AsyncIterator[Recorded]:
        async with aclosing(self._bus.feed(stream, after=after, subjects=subjects, until_end=True)) as feed:
            while True:
                try:
                    async with asyncio.timeout(timeout_s):
                        delivery = await anext(feed)
                except StopAsyncIteration:
                    return
                except TimeoutError as exc:
                    raise RetryableError(f"{stream} is not read to its end: nothing came for {timeout_s} s") from exc
                yield recorded(delivery)

    async def follow(self, stream: str, *, after: int, subjects: tuple[str, ...] = ()) -> AsyncIterator[Recorded]:
        async for delivery in self._bus.feed(stream, after=after, subjects=subjects):
            yield recorded(delivery)


def recorded(delivery: Delivery) -> Recorded:
    """
    Read a delivery as a commit.

    Raises:
        UnreadableError: it is none that this version can read.
    """
    return Recorded(
        commit=CODEC.decode_commit(delivery.body),
        envelope=Envelope.from_headers(delivery.headers),
        subject=delivery.subject,
        position=Position(delivery.stream, delivery.sequence),
        stored_at=delivery.time,
    )


def commit_envelope(
    commit: Commit, *, source: str, correlation_id: str, causation_id: str | None = None, traceparent: str | None = None
) -> Envelope:
    """Give the envelope of a commit; the actor stands in its cause."""
    return Envelope(
        id=commit.id,
        type=COMMIT_TYPE,
        version=1,
        source=f"/actium/{source}",
        time=commit.decided_at,
        correlation_id=correlation_id,
        causation_id=causation_id,
        traceparent=traceparent,
    )
