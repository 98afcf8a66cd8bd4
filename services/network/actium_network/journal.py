"""The service's own log: append a decision and go on when the service's own tables contain it. No decision here."""

import hashlib
from collections.abc import Mapping, Sequence

from actium_network.read_model.projections import OWN, Projector
from actium_shared import streams
from actium_shared.bus import Bus
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
    Appends commits; each returns when the tables contain it, so that the next decision sees it.

    Raises, from all of its methods:
        VersionConflictError: the aggregate moved: read the tables again and decide again.
        RetryableError: the bus is not there, or the outcome is unknown; repeating is safe.
    """

    def __init__(self, bus: Bus, store: EventStore, projector: Projector, positions: Positions, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._projector = projector
        self._positions = positions
        self._clock = clock

    async def append(
        self,
        subject: str,
        events: Sequence[Event],
        *,
        cause: Cause,
        expected: int,
        reads: Mapping[str, int] | None = None,
        deadline: float | None = None,
    ) -> Position:
        """Append one commit and wait for the own tables."""
        commit = Commit(
            id=_commit_id(subject, expected, events),
            events=tuple(events),
            cause=cause,
            decided_at=self._clock.now(),
            reads=reads or {OWN: self._positions.of(OWN)},
        )
        envelope = commit_envelope(
            commit, source="network", correlation_id=correlation_id.get(), traceparent=traceparent()
        )
        position = await self._store.append(subject, commit, expected=expected, envelope=envelope, deadline=deadline)
        await self._positions.wait_for(position, timeout_s=OWN_WRITE_TIMEOUT_S)
        return position

    async def reach_end_of(self, stream: str) -> int:
        """Wait until the tables contain all that is on a stream now; give the position."""
        end = await self._bus.last_sequence(stream)
        await self._positions.wait_for(Position(stream, end), timeout_s=OWN_WRITE_TIMEOUT_S)
        return end

    async def catch_up(self) -> None:
        """Read the own stream to its end; at start, before its feed runs and before anything is decided."""
        batch: list[Recorded] = []
        async for item in self._store.read(OWN, after=self._positions.of(OWN)):
            batch.append(item)
            if len(batch) == CATCH_UP_BATCH:
                await self._projector.apply(batch)
                batch = []
        await self._projector.apply(batch)


def vip_subject(load_balancer_id: str) -> str:
    return streams.event_subject("network", "vip", load_balancer_id)


def ports_subject(amphora_id: str) -> str:
    return streams.event_subject("network", "port", amphora_id)


def network_subject(network_id: str) -> str:
    return streams.event_subject("network", "network", network_id)


def _commit_id(subject: str, expected: int, events: Sequence[Event]) -> str:
    # The same decision in the same place, repeated after a crash, is the same commit; another decision is not.
    digest = hashlib.sha256(b"".join(event.TYPE.encode() + b"\0" + CODEC.encode(event) for event in events))
    return derived_id("commit", subject, str(expected), digest.hexdigest())
