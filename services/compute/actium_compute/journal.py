"""Compute's own log: append what became of an amphora or a secret, and go on when the own tables have it. No decision here."""

from actium_compute.facts import Facts
from actium_compute.read_model.projections import NETWORK, NETWORK_SUBJECTS, OWN
from actium_shared import journal, streams
from actium_shared.clock import Clock
from actium_shared.event_store import EventStore
from actium_shared.events.amphora import AmphoraStrayRemoved
from actium_shared.events.authority import AuthorityTurned
from actium_shared.events.secret import SecretEvent
from actium_shared.ids import SecretRef
from actium_shared.message import Cause, CommandCause, Event, Position, WorkCause
from actium_shared.read_model import Positions, Projector

AUTHORITY = streams.event_subject("compute", "authority", "amphorae")


class Journal:
    """Writes the log and reads it at start."""

    def __init__(
        self, store: EventStore, projector: Projector[frozenset[str]], positions: Positions, *, clock: Clock
    ) -> None:
        self._journal = journal.Journal("compute", store, positions, projector.apply, clock=clock)
        self._positions = positions
        self._store = store

    async def append(self, facts: Facts, *events: Event, order_id: str) -> None:
        """
        Append the outcome of work on an amphora and wait for the own tables.

        Raises:
            VersionConflictError: more happened to the amphora than `facts` tell; look again.
            RetryableError: the bus is not there, or the outcome is unknown; look again, and repeat what is missing.
        """
        await self._journal.append(
            streams.event_subject("compute", "amphora", facts.amphora_id),
            events,
            cause=WorkCause(order_id=order_id),
            expected=facts.sequence,
            reads={stream: self._positions.of(stream) for stream in (OWN, NETWORK)},
            causation_id=order_id,
        )

    async def append_stray(self, event: AmphoraStrayRemoved, *, expected: int) -> None:
        """Append what was found where nothing should be; raises as `append`."""
        subject = streams.event_subject("compute", "amphora", event.amphora_id)
        await self._journal.append(subject, [event], cause=WorkCause(order_id="strays"), expected=expected)

    async def append_secret(
        self, ref: SecretRef, event: SecretEvent, *, cause: CommandCause, expected: int, deadline: float
    ) -> Position:
        """Append what was decided on a secret; raises as `append`."""
        subject = streams.event_subject("compute", "secret", ref)
        return await self._journal.append(subject, [event], cause=cause, expected=expected, deadline=deadline)

    async def authority_told(self) -> tuple[AuthorityTurned | None, int]:
        """Give what the log says of the authority, and the position of that; raises RetryableError."""
        told, sequence = None, 0
        async for item in self._store.read(OWN, after=0, subjects=(AUTHORITY,)):
            *_, told = (event for event in item.commit.events if isinstance(event, AuthorityTurned))
            sequence = item.position.sequence
        return told, sequence

    async def append_authority(self, event: AuthorityTurned, *, cause: Cause, expected: int) -> Position:
        """Append what has become of the authority; raises as `append`."""
        return await self._journal.append(AUTHORITY, [event], cause=cause, expected=expected)

    async def catch_up(self) -> None:
        """Read both streams to their ends: before that nothing may be decided."""
        await self._journal.catch_up(OWN)
        await self._journal.catch_up(NETWORK, subjects=NETWORK_SUBJECTS)
