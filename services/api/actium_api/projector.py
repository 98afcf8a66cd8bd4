"""The loops that keep the read model up to date: one per stream of events, and one for statistics."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from actium_api.read_model.projections import PLANNER, project
from actium_api.read_model.statistics import project_statistics
from actium_shared import statistics, streams
from actium_shared.bus import Bus, Delivery
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError, UnreadableError
from actium_shared.event_store import Recorded
from actium_shared.message import Position
from actium_shared.read_model import Database, Positions
from actium_shared.service import Service

log = logging.getLogger(__name__)

BATCH_MOST = 100
"""Commits per transaction when there is a backlog: enough to be quick, few enough to leave the loop soon."""

OTHERS_PAUSE_S = 0.01
"""For requests wait for the planner's commits; the others', of which there are as many, are taken together."""

CAUSE_TIMEOUT_S = 30.0
"""How long a commit waits for what its decision had read; past this it is applied as it comes, and that is logged."""

CATCH_UP_TIMEOUT_S = 600.0
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Projector:
    """The one writer of the read model."""

    bus: Bus
    database: Database
    positions: Positions
    clock: Clock
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the read model shows at least what was on the log when this process started."""

    def attach(self, service: Service) -> None:
        """Have the service run the loops."""
        service.loop("catching up", self._catch_up)
        for owner in streams.FEEDS["api"]:
            stream = streams.events_of(owner)
            pause_s = 0.0 if stream == PLANNER else OTHERS_PAUSE_S
            service.feed(stream, self.take, after=self.positions.of(stream), most=BATCH_MOST, pause_s=pause_s)
        service.loop("statistics", self._follow_statistics)

    async def take(self, commits: Sequence[Recorded]) -> None:
        """Bring the read model up to date with commits of one stream, in one transaction."""
        for recorded in commits:
            await self._wait_for_cause(recorded)
        await self.database.write(lambda connection: project(connection, commits, self.positions))
        await self.positions.announce([commits[-1].position])

    async def _wait_for_cause(self, recorded: Recorded) -> None:
        """Let the planner's events that this decision had read come first, so that a rebuilt read model is equal."""
        known = recorded.commit.reads.get(PLANNER, 0)
        if recorded.position.stream == PLANNER or known <= self.positions.of(PLANNER):
            return
        try:
            await self.positions.wait_for(Position(PLANNER, known), timeout_s=CAUSE_TIMEOUT_S)
        except RetryableError:
            log.exception("applied before its cause", extra={"position": str(recorded.position), "cause": known})

    async def _catch_up(self) -> None:
        for owner in streams.FEEDS["api"]:
            await self._reach_end(streams.events_of(owner))
        self.caught_up.set()
        log.info("caught up")
        await asyncio.Event().wait()

    async def _reach_end(self, stream: str) -> None:
        while True:
            try:
                newest = Position(stream, await self.bus.last_sequence(stream))
                break
            except RetryableError:
                await self.clock.sleep(PAUSE_S)
        try:
            await self.positions.wait_for(newest, timeout_s=CATCH_UP_TIMEOUT_S)
        except RetryableError:
            log.exception("not caught up, and going on all the same")

    async def _follow_statistics(self) -> None:
        await self.caught_up.wait()  # figures of load balancers that nobody knows are dropped
        waiting: list[Delivery] = []
        async for delivery in self.bus.feed(streams.STATISTICS, after=self.positions.of(streams.STATISTICS)):
            waiting.append(delivery)
            if delivery.pending == 0 or len(waiting) >= BATCH_MOST:
                await self._take_statistics(waiting)
                waiting = []

    async def _take_statistics(self, deliveries: Sequence[Delivery]) -> None:
        readable = []
        for delivery in deliveries:
            try:
                readable.append(statistics.decode(delivery.body))
            except UnreadableError as exc:  # the next figures replace these
                log.warning("figures not readable", extra={"subject": delivery.subject, "error": str(exc)})
        position = Position(deliveries[-1].stream, deliveries[-1].sequence)

        def change(connection: sa.Connection) -> None:
            project_statistics(connection, readable)
            self.positions.record(connection, position)

        await self.database.write(change)
        await self.positions.announce([position])
