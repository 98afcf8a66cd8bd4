"""Commits of others and our own: into the tables, then whoever it matters to is told."""

import sqlalchemy as sa

from actium_health.beats import Beats
from actium_health.judge import Judge
from actium_health.publisher import Publisher
from actium_health.read_model import queries
from actium_health.read_model.projections import OWN, PLANNER, project
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import AmphoraBooted, AmphoraDeleted
from actium_shared.events.appliance import (
    AmphoraAppointed,
    AmphoraDismissed,
    ApplianceEvent,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
)
from actium_shared.events.load_balancer import (
    ListenerCreated,
    ListenerRemoved,
    LoadBalancerDeletionRequested,
    LoadBalancerEvent,
)
from actium_shared.message import Event, Position
from actium_shared.read_model import Database, Positions

PLANNER_TIMEOUT_S = 60.0

WHO_RUNS_WHAT = (
    AmphoraAppointed,
    AmphoraDismissed,
    AmphoraBooted,
    AmphoraDeleted,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
    LoadBalancerDeletionRequested,
    ListenerCreated,
    ListenerRemoved,
)
"""After one of these, what an amphora is known to carry may be wrong."""


class Handlers:
    """The one handler of all feeds."""

    def __init__(
        self, database: Database, positions: Positions, *, judge: Judge, beats: Beats, publisher: Publisher
    ) -> None:
        self._database, self._positions = database, positions
        self._judge, self._beats, self._publisher = judge, beats, publisher

    async def commit(self, item: Recorded) -> None:
        """
        Apply one commit, once.

        Raises:
            RetryableError: the planner's commit that it rests on has not come yet.
        """
        if item.position.sequence <= self._positions.of(item.position.stream):
            return
        if item.position.stream == OWN:
            needed = Position(PLANNER, item.commit.reads.get(PLANNER, 0))
            await self._positions.wait_for(needed, timeout_s=PLANNER_TIMEOUT_S)

        def change(connection: sa.Connection) -> None:
            project(connection, item)
            self._positions.record(connection, item.position)

        await self._database.write(change)
        await self._positions.announce([item.position])
        for event in item.commit.events:
            await self._tell(event)

    async def _tell(self, event: Event) -> None:
        if isinstance(event, WHO_RUNS_WHAT):
            self._beats.look_again()
        match event:
            case AmphoraDeleted():
                self._beats.forget(event.amphora_id)
                await self._publisher.amphora_deleted(event.amphora_id)
            case LoadBalancerEvent():
                self._judge.mark([event.load_balancer_id])
            case ApplianceEvent():
                carried = await self._database.read(
                    lambda connection: queries.load_balancers_of(connection, event.appliance_id)
                )
                self._judge.mark(carried)
            case _:
                pass
