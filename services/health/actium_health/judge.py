"""The one who judges: for each load balancer that something happened to, statuses from tree and reports, and what changed to the log."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from actium_health.operating_status import changes, leading, operating_statuses
from actium_health.read_model import queries
from actium_health.read_model.projections import PLANNER
from actium_health.read_model.queries import Case
from actium_health.report import Report
from actium_shared import streams
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError, VersionConflictError
from actium_shared.event_store import EventStore, commit_envelope
from actium_shared.events.health import OperatingStatusChanged, StatusChange
from actium_shared.ids import Ids, LoadBalancerId
from actium_shared.message import Commit, WorkCause
from actium_shared.read_model import Database, Positions
from actium_shared.telemetry import traceparent

log = logging.getLogger(__name__)

OWN_COMMIT_TIMEOUT_S = 5.0
AGAIN_AFTER_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The newest report of an amphora, and the datagram that it came with."""

    report: Report
    source: str


class Judge:
    """One loop over the load balancers that were marked; `evidence` is what the beats fill."""

    def __init__(
        self,
        database: Database,
        positions: Positions,
        store: EventStore,
        evidence: Mapping[str, Evidence],
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database, self._positions, self._store = database, positions, store
        self._evidence = evidence
        self._clock, self._ids = clock, ids
        self._marked: dict[str, None] = {}
        self._something = asyncio.Event()

    def mark(self, load_balancer_ids: Iterable[str]) -> None:
        """Have these judged, in the order in which they were first marked."""
        self._marked.update(dict.fromkeys(load_balancer_ids))
        if self._marked:
            self._something.set()

    async def run(self, caught_up: asyncio.Event) -> None:
        """Judge for ever, once all evidence is in: on yesterday's news statuses would go back and forth."""
        await caught_up.wait()
        self.mark(await self._database.read(queries.all_load_balancers))
        while True:
            await self._something.wait()
            self._something.clear()
            again = [key for key in list(self._marked) if not await self._attempt(key)]
            if again:
                await self._clock.sleep(AGAIN_AFTER_S)
                self.mark(again)

    async def _attempt(self, load_balancer_id: str) -> bool:
        self._marked.pop(load_balancer_id, None)
        try:
            await self.judge(load_balancer_id)
        except (RetryableError, VersionConflictError) as exc:
            log.warning("judged again", extra={"load_balancer_id": load_balancer_id, "error": str(exc)})
            return False
        return True

    async def judge(self, load_balancer_id: str) -> None:
        """
        Bring what is recorded of one load balancer up to date.

        Raises:
            RetryableError: the outcome of an append is unknown.
            VersionConflictError: the tables do not contain our last commit yet.
        """
        if not self._evidence:
            return  # nobody has said anything of any
        case = await self._database.read(lambda connection: self._case(connection, load_balancer_id))
        if case is None:
            return
        found = [self._evidence[key] for key in case.amphora_ids if key in self._evidence]
        report = leading(evidence.report for evidence in found)
        if report is None:
            return
        statuses = operating_statuses(case.tree, report, held=case.held.get(report.bundle, 0))
        changed = changes(statuses, case.recorded, report.reasons)
        if changed:
            source = next(evidence.source for evidence in found if evidence.report is report)
            await self._record(case, changed, source)

    def _case(self, connection: sa.Connection, load_balancer_id: str) -> Case | None:
        """Give what there is to judge by, None where there is nothing: then it is as well not to look for the rest."""
        if not any(key in self._evidence for key in queries.in_service(connection, load_balancer_id)):
            return None
        return queries.case(connection, load_balancer_id)

    async def _record(self, case: Case, changed: tuple[StatusChange, ...], source: str) -> None:
        load_balancer_id = LoadBalancerId(case.tree.load_balancer.id)
        commit = Commit(
            id=self._ids.new(),
            events=(OperatingStatusChanged(load_balancer_id=load_balancer_id, changes=changed),),
            cause=WorkCause(order_id=source),
            decided_at=self._clock.now(),
            reads={PLANNER: case.planner_position},
        )
        envelope = commit_envelope(commit, source="health", correlation_id=self._ids.new(), traceparent=traceparent())
        subject = streams.event_subject("health", "health", load_balancer_id)
        position = await self._store.append(subject, commit, expected=case.sequence, envelope=envelope)
        await self._positions.wait_for(position, timeout_s=OWN_COMMIT_TIMEOUT_S)
