"""Commits of others and our own: into the tables, then whoever it matters to is told."""

import logging
from collections.abc import Sequence

import sqlalchemy as sa

from actium_health.beats import Beats
from actium_health.judge import Judge
from actium_health.liveness import Liveness
from actium_health.publisher import Publisher
from actium_health.read_model import queries
from actium_health.read_model.projections import COMPUTE, OWN, PLANNER, project
from actium_health.storm import WINDOW_S
from actium_shared.clock import Clock
from actium_shared.errors import BrokenStoreError
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import AmphoraBooted, AmphoraCertificateRenewed, AmphoraDeleted
from actium_shared.events.appliance import AmphoraAppointed, AmphoraDismissed, ApplianceEvent
from actium_shared.events.health import AmphoraLost, LivenessEvent
from actium_shared.events.load_balancer import (
    ListenerCreated,
    ListenerRemoved,
    LoadBalancerDeletionRequested,
    LoadBalancerEvent,
)
from actium_shared.events.spares import SpareAppointed, SpareDismissed, SpareHandedOut
from actium_shared.message import Event, Position
from actium_shared.read_model import Database, Positions

log = logging.getLogger(__name__)

OTHERS_TIMEOUT_S = 60.0

WHAT_IS_CARRIED = (LoadBalancerDeletionRequested, ListenerCreated, ListenerRemoved)
"""After one of these, what amphorae are known to carry may be wrong."""


class Handlers:
    """The one handler of all feeds."""

    def __init__(
        self,
        database: Database,
        positions: Positions,
        *,
        judge: Judge,
        beats: Beats,
        publisher: Publisher,
        liveness: Liveness,
        clock: Clock,
    ) -> None:
        self._database, self._positions, self._clock = database, positions, clock
        self._judge, self._beats, self._publisher, self._liveness = judge, beats, publisher, liveness

    async def load(self) -> None:
        """Learn from the tables who is expected to beat, and what was said of whom."""
        await self._look_at_lives()
        since = self._clock.now().timestamp() - WINDOW_S
        for at, host in await self._database.read(lambda connection: queries.losses_since(connection, since)):
            self._liveness.budget.spend(at, host)

    async def commits(self, items: Sequence[Recorded]) -> None:
        """
        Apply commits of one stream, each once, all in one transaction.

        Raises:
            RetryableError: the commits of others that they rest on have not come yet.
        """
        new = [item for item in items if item.position.sequence > self._positions.of(item.position.stream)]
        if not new:
            return
        end = new[-1].position
        if end.stream == OWN:
            await self._wait_for_causes(new)

        def change(connection: sa.Connection) -> None:
            for item in new:
                project(connection, item)
            self._positions.record(connection, end)

        await self._database.write(change)
        await self._positions.announce([end])
        for item in new:
            for event in item.commit.events:
                await self._tell_safely(event, item)

    async def _wait_for_causes(self, items: Sequence[Recorded]) -> None:
        for stream in (PLANNER, COMPUTE):
            needed = Position(stream, max(item.commit.reads.get(stream, 0) for item in items))
            await self._positions.wait_for(needed, timeout_s=OTHERS_TIMEOUT_S)

    async def _tell_safely(self, event: Event, item: Recorded) -> None:
        """The rows contain the whole batch by now: a fault of ours at one event must not keep the others untold."""
        try:
            await self._tell(event, item)
        except BrokenStoreError:
            raise
        except Exception:
            log.exception("not told", extra={"subject": item.subject, "type": event.TYPE})

    async def _tell(self, event: Event, item: Recorded) -> None:
        await self._tell_of_lives(event, item)
        match event:
            case AmphoraDeleted():
                self._beats.forget(event.amphora_id)
                await self._publisher.amphora_deleted(event.amphora_id)
            case LoadBalancerEvent():
                self._judge.mark([event.load_balancer_id])
                if isinstance(event, LoadBalancerDeletionRequested):
                    self._publisher.checkpoint.gone(event.load_balancer_id)
                if isinstance(event, WHAT_IS_CARRIED):
                    self._beats.look_again(event.load_balancer_id)
            case ApplianceEvent():
                self._beats.look_again(event.appliance_id)
                carried = await self._database.read(
                    lambda connection: queries.load_balancers_of(connection, event.appliance_id)
                )
                self._judge.mark(carried)
            case _:
                pass

    async def _tell_of_lives(self, event: Event, item: Recorded) -> None:
        match event:
            case LivenessEvent(amphora_id=amphora_id):
                if isinstance(event, AmphoraLost):
                    self._liveness.budget.spend(item.stored_at.timestamp(), event.host)
                await self._look_at_lives(amphora_id)
            case SpareAppointed() | SpareHandedOut() | SpareDismissed() | AmphoraAppointed() | AmphoraDismissed():
                self._beats.look_again(event.amphora_id)
                if self._liveness.knows(event.amphora_id):  # else it has not booted, and need not beat
                    await self._look_at_lives(event.amphora_id)
            case AmphoraCertificateRenewed(amphora_id=amphora_id):
                self._beats.look_again(amphora_id)  # an older key counts no more
            case AmphoraBooted(amphora_id=amphora_id):
                self._beats.look_again(amphora_id)
                await self._look_at_lives(amphora_id, afresh=True)
            case _:
                pass

    async def _look_at_lives(self, amphora_id: str | None = None, *, afresh: bool = False) -> None:
        now = self._liveness.listening.now(self._clock.monotonic())
        for life in await self._database.read(lambda connection: queries.lives(connection, amphora_id)):
            if life.deleted:
                self._liveness.forget(life.id)
                continue
            self._liveness.said(life.id, life.verdict, life.role, life.epoch)
            if life.expected:
                self._liveness.expect(
                    life.id, appliance_id=life.appliance_id, host=life.host, spare=life.spare, now=now, afresh=afresh
                )
            else:
                self._liveness.dismiss(life.id)
