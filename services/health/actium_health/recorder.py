"""What there is to say of one amphora's life, onto the log: verdicts as the sweeper finds them, roles and returns as they come."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from actium_health.liveness import Finding, Liveness, Pulse, Verdict
from actium_health.read_model import queries
from actium_health.read_model.queries import Life
from actium_shared import streams
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError, VersionConflictError
from actium_shared.event_store import EventStore, commit_envelope
from actium_shared.events.health import (
    AmphoraHeardAgain,
    AmphoraLossHeldBack,
    AmphoraLost,
    AmphoraRoleChanged,
    LivenessEvent,
)
from actium_shared.ids import AmphoraId, ApplianceId, Ids
from actium_shared.message import Cause, Commit, WorkCause
from actium_shared.read_model import Database, Positions
from actium_shared.telemetry import traceparent

log = logging.getLogger(__name__)

OWN_COMMIT_TIMEOUT_S = 5.0
AGAIN_AFTER_S = 0.2

Say = Callable[[Life], tuple[LivenessEvent, ...]]


class Recorder:
    """Appends to `liveness`; of several replicas that come to the same verdict one is first, and the others find it said."""

    def __init__(
        self,
        database: Database,
        positions: Positions,
        store: EventStore,
        liveness: Liveness,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database, self._positions, self._store = database, positions, store
        self._liveness = liveness
        self._clock, self._ids = clock, ids
        self._noted: dict[str, None] = {}
        self._something = asyncio.Event()

    def note(self, amphora_id: str) -> None:
        """Have its role, and that it is heard again, recorded as soon as possible."""
        self._noted[amphora_id] = None
        self._something.set()

    async def run(self) -> None:
        """Record what was noted, for ever."""
        while True:
            await self._something.wait()
            self._something.clear()
            again = [key for key in list(self._noted) if not await self._attempt(key)]
            if again:
                await self._clock.sleep(AGAIN_AFTER_S)
                for key in again:
                    self.note(key)

    async def _attempt(self, amphora_id: str) -> bool:
        self._noted.pop(amphora_id, None)
        pulse = self._liveness.pulse(amphora_id)
        cause = WorkCause(order_id=f"amphora.heard/{amphora_id}/{pulse.heard_at}")
        return await self._record(amphora_id, lambda life: news(life, pulse), cause=cause)

    async def record(self, finding: Finding, *, cause: Cause | None = None) -> bool:
        """Record a verdict, unless it is said already or void by now; tell whether nothing is left to do."""
        amphora_id = finding.pulse.amphora_id
        silence = WorkCause(order_id=f"amphora.silent/{amphora_id}/{finding.since}")
        return await self._record(amphora_id, lambda life: verdict(life, finding), cause=cause or silence)

    async def _record(self, amphora_id: str, say: Say, *, cause: Cause) -> bool:
        try:
            return await self._append(amphora_id, say, cause)
        except (RetryableError, VersionConflictError) as exc:
            log.warning("recorded again", extra={"amphora_id": amphora_id, "error": str(exc)})
            return False

    async def _append(self, amphora_id: str, say: Say, cause: Cause) -> bool:
        def look(connection: sa.Connection) -> tuple[list[Life], dict[str, int]]:
            return queries.lives(connection, amphora_id), queries.reached(connection)

        found, reached = await self._database.read(look)
        events = say(found[0]) if found else ()
        if not events:
            return True
        commit = Commit(id=self._ids.new(), events=events, cause=cause, decided_at=self._clock.now(), reads=reached)
        envelope = commit_envelope(commit, source="health", correlation_id=self._ids.new(), traceparent=traceparent())
        subject = streams.event_subject("health", "liveness", amphora_id)
        position = await self._store.append(subject, commit, expected=found[0].sequence, envelope=envelope)
        for event in events:
            log.info("recorded", extra={"type": event.TYPE, "amphora_id": amphora_id})
        await self._positions.wait_for(position, timeout_s=OWN_COMMIT_TIMEOUT_S)
        return True


def verdict(life: Life, finding: Finding) -> tuple[LivenessEvent, ...]:
    """Give the event of a finding, nothing where it is void or already said."""
    said = (Verdict.LOST,) if finding.verdict is Verdict.LOST else (Verdict.LOST, Verdict.HELD_BACK)
    if not (finding.holds and life.expected) or life.verdict in said:
        return ()
    heard_at = finding.since if finding.pulse.heard_at is None else finding.pulse.heard_at
    kind = AmphoraLost if finding.verdict is Verdict.LOST else AmphoraLossHeldBack
    event = kind(
        amphora_id=AmphoraId(life.id),
        appliance_id=ApplianceId(life.appliance_id),
        last_heard_at=datetime.fromtimestamp(max(0.0, heard_at), UTC),
        reason=finding.reason,
        host=life.host,
    )
    return (event,)


def news(life: Life, pulse: Pulse) -> tuple[LivenessEvent, ...]:
    """Give what was heard from an amphora that is not recorded yet."""
    if life.deleted:
        return ()
    amphora_id, appliance_id = AmphoraId(life.id), ApplianceId(life.appliance_id)
    events: list[LivenessEvent] = []
    if life.verdict:
        events.append(AmphoraHeardAgain(amphora_id=amphora_id, appliance_id=appliance_id))
    if pulse.role and (pulse.role, pulse.epoch) != (life.role, life.epoch):
        role, epoch = pulse.role, pulse.epoch
        events.append(AmphoraRoleChanged(amphora_id=amphora_id, appliance_id=appliance_id, role=role, epoch=epoch))
    return tuple(events)
