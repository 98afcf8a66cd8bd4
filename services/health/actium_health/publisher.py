"""Statistics: figures from beats into the tables, and from there to whoever listens; each load balancer at most once a second."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial

import msgspec
import sqlalchemy as sa

from actium_health import traffic
from actium_health.checkpoint import Checkpoint
from actium_health.read_model import tables, totals
from actium_health.report import ListenerReport
from actium_health.traffic import Counted
from actium_shared import rows, statistics, streams
from actium_shared.bus import Bus
from actium_shared.clock import Clock
from actium_shared.commands.health import ReportStatistics
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.message import Accepted, Position, Reason, Rejected, Reply
from actium_shared.provider_options import is_ours
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.2
PUBLISH_MOST_EVERY_S = 1.0
PUBLISH_MOST = 200
"""At one flush. Where more have something to tell they take turns, and each has it told less often."""

REPEAT_EVERY_S = 3_600.0
"""All totals again, changed or not: the stream forgets by age, and a reader may begin from nothing."""

Pair = tuple[str, str]
"""Load balancer, amphora."""

Listeners = Mapping[str, ListenerReport]


class Publisher:
    """One loop; figures come in by `observe`, in memory until the next flush: the next beat would say them again."""

    def __init__(self, bus: Bus, database: Database, clock: Clock) -> None:
        self._bus, self._database, self._clock = bus, database, clock
        self.checkpoint = Checkpoint(bus, database, clock)
        self._last: dict[str, tuple[str, Listeners]] = {}
        self._pending: dict[Pair, tuple[float, dict[str, ListenerReport]]] = {}
        self._due: dict[Pair, None] = {}
        self._not_before: dict[str, float] = {}
        self._repeat_at = 0.0

    def observe(self, amphora_id: str, boot_id: str, listeners: Listeners, *, at: float) -> None:
        """Take the listeners of a beat, which is newer than those before."""
        now = (boot_id, listeners)
        if self._last.get(amphora_id) == now:
            return
        self._last[amphora_id] = now
        _, earlier = self._pending.get((amphora_id, boot_id), (at, {}))
        self._pending[(amphora_id, boot_id)] = (at, {**earlier, **listeners})

    async def amphora_deleted(self, amphora_id: str) -> None:
        """Keep its last figures, and say once more what it did, now without open connections."""
        self._last.pop(amphora_id, None)
        mine = {key: self._pending.pop(key) for key in list(self._pending) if key[0] == amphora_id}
        closed = {
            key: (at, {one: msgspec.structs.replace(value, active_connections=0) for one, value in listeners.items()})
            for key, (at, listeners) in mine.items()
        }
        await self._keep(closed)
        everybody = await self._database.read(totals.everybody)
        self._have_told(pair for pair in everybody if pair[1] == amphora_id)

    async def report(self, command: ReportStatistics) -> Reply:
        """
        Take the figures of another vendor's driver.

        Raises:
            PermanentError: they are no figures.
        """
        if await self._is_ours(command):
            detail = f"Load balancer {command.load_balancer_id} is Actium's own: no other driver tells its figures."
            return Rejected(reason=Reason.CONFLICT, detail=detail, field="load_balancer_id")
        at = self._clock.now().timestamp()
        source = statistics.source_of(command.provider)
        counted: dict[totals.Key, Counted] = {
            (source, "", str(key)): traffic.counted(_checked(str(key), value), at=at)
            for key, value in command.listeners.items()
        }
        self._have_told(await self._database.write(lambda connection: totals.put(connection, counted)))
        return Accepted(position=Position(streams.STATISTICS, 0))

    async def _is_ours(self, command: ReportStatistics) -> bool:
        """Say whether amphorae of ours carry it, or shall: whoever asks may not know."""

        def query(connection: sa.Connection) -> bool:
            of = command.load_balancer_id
            return rows.find(connection, tables.placements, load_balancer_id=of).first() is not None

        return is_ours(command.provider) or await self._database.read(query)

    async def restore(self) -> None:
        """Take back what was published, where the tables have lost it; before anything is observed."""
        self._have_told(await self.checkpoint.restore())

    async def run(self) -> None:
        while True:
            await self.flush()
            await self._clock.sleep(FLUSH_EVERY_S)

    async def flush(self) -> None:
        """Keep what has changed, and publish what may be published now."""
        pending, self._pending = self._pending, {}
        await self._keep(pending)
        now = self._clock.monotonic()
        if now >= self._repeat_at:
            self._have_told(await self._database.read(totals.everybody))
            self._repeat_at = now + REPEAT_EVERY_S
        if self._not_before:
            self._not_before = {key: time for key, time in self._not_before.items() if time > now}
        await self._publish([pair for pair in self._due if pair[0] not in self._not_before][:PUBLISH_MOST])
        await self.checkpoint.write(now)

    async def _keep(self, pending: Mapping[Pair, tuple[float, Listeners]]) -> None:
        if pending:
            counted: dict[totals.Key, Counted] = {
                (amphora_id, boot_id, key): traffic.counted(value, at=at)
                for (amphora_id, boot_id), (at, listeners) in pending.items()
                for key, value in listeners.items()
            }
            self._have_told(await self._database.write(lambda connection: totals.keep(connection, counted)))

    def _have_told(self, pairs: Iterable[Pair]) -> None:
        self._due.update(dict.fromkeys(sorted(pairs)))

    async def _publish(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            told = await self._database.read(partial(totals.statistics, load_balancer_id=pair[0], amphora_id=pair[1]))
            try:
                if told is not None:
                    await self._bus.publish(statistics.subject(told.load_balancer_id), statistics.encode(told))
            except RetryableError as exc:
                log.info("statistics not published yet", extra={"error": str(exc)})
                return
            self._due.pop(pair, None)
            self._not_before[pair[0]] = self._clock.monotonic() + PUBLISH_MOST_EVERY_S
            self.checkpoint.mark(pair[0])


def _checked(listener_id: str, value: statistics.ListenerTotals) -> ListenerReport:
    try:
        return msgspec.convert(msgspec.structs.asdict(value) | {"status": ""}, ListenerReport)
    except msgspec.ValidationError as exc:
        raise PermanentError(f"listener {listener_id}: {exc}") from exc
