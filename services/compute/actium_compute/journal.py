"""Compute's own log: append what became of an amphora, and go on when the own tables contain it. No decision here."""

from actium_compute.facts import Facts
from actium_compute.read_model.projections import NETWORK, OWN, Projector
from actium_shared import streams
from actium_shared.clock import Clock
from actium_shared.event_store import EventStore, Recorded, commit_envelope
from actium_shared.ids import Ids
from actium_shared.message import Commit, Event, WorkCause
from actium_shared.read_model import Positions
from actium_shared.telemetry import correlation_id, traceparent

OWN_WRITE_TIMEOUT_S = 10.0
"""From append to own tables takes a millisecond; after this something is broken, and the work is repeated."""

CATCH_UP_BATCH = 256


class Journal:
    """Writes the log and reads it at start."""

    def __init__(
        self, store: EventStore, projector: Projector, positions: Positions, *, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._projector = projector
        self._positions = positions
        self._clock = clock
        self._ids = ids

    async def append(self, facts: Facts, *events: Event, order_id: str) -> None:
        """
        Append the outcome of work on an amphora and wait for the own tables.

        Raises:
            VersionConflictError: more happened to the amphora than `facts` tell; look again.
            RetryableError: the bus is not there, or the outcome is unknown; look again, and repeat what is missing.
        """
        commit = Commit(
            id=self._ids.new(),
            events=events,
            cause=WorkCause(order_id=order_id),
            decided_at=self._clock.now(),
            reads={stream: self._positions.of(stream) for stream in (OWN, NETWORK)},
        )
        envelope = commit_envelope(
            commit,
            source="compute",
            correlation_id=correlation_id.get(),
            causation_id=order_id,
            traceparent=traceparent(),
        )
        subject = streams.event_subject("compute", "amphora", facts.amphora_id)
        position = await self._store.append(subject, commit, expected=facts.sequence, envelope=envelope)
        await self._positions.wait_for(position, timeout_s=OWN_WRITE_TIMEOUT_S)

    async def catch_up(self) -> None:
        """Read both streams to their ends: before that nothing may be decided."""
        for stream in (OWN, NETWORK):
            batch: list[Recorded] = []
            async for item in self._store.read(stream, after=self._positions.of(stream)):
                batch.append(item)
                if len(batch) == CATCH_UP_BATCH:
                    await self._projector.apply(batch)
                    batch = []
            await self._projector.apply(batch)
