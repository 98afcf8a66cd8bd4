"""Statistics: figures from beats into the tables, and from there to whoever listens; each load balancer at most once a second."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from actium_health import traffic
from actium_health.read_model import totals
from actium_health.traffic import Counted
from actium_shared import statistics, streams
from actium_shared.bus import Bus, Question
from actium_shared.clock import Clock
from actium_shared.commands.health import ReportStatistics
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.message import Accepted, Position, Reply
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.2
PUBLISH_MOST_EVERY_S = 1.0
REPEAT_EVERY_S = 3_600.0
"""All totals again, changed or not: the stream forgets by age, and a reader may begin from nothing."""

Pair = tuple[str, str]
"""Load balancer, amphora."""


class Publisher:
    """One loop; figures come in by `observe`, in memory until the next flush: the next beat would say them again."""

    def __init__(self, bus: Bus, database: Database, clock: Clock) -> None:
        self._bus, self._database, self._clock = bus, database, clock
        self._last: dict[str, dict[totals.Key, Counted]] = {}
        self._pending: dict[totals.Key, Counted] = {}
        self._due: set[Pair] = set()
        self._not_before: dict[str, float] = {}
        self._repeat_at = 0.0

    def observe(self, amphora_id: str, boot_id: str, listeners: Mapping[str, Any], *, at: float) -> None:
        """
        Take the listeners of a beat.

        Raises:
            PermanentError: their figures are no figures.
        """
        last = self._last.setdefault(amphora_id, {})
        now = {(amphora_id, boot_id, key): value for key, value in traffic.from_beat(listeners, at=at).items()}
        for key, counted in now.items():
            before = last.get(key)
            if before is None or before.figures != counted.figures:
                earlier = self._pending.get(key)
                self._pending[key] = traffic.merged(earlier, counted) if earlier else counted
        self._last[amphora_id] = now

    async def amphora_deleted(self, amphora_id: str) -> None:
        """Say once more what it did, now without open connections."""
        self._last.pop(amphora_id, None)
        self._pending = {key: value for key, value in self._pending.items() if key[0] != amphora_id}
        everybody = await self._database.read(totals.everybody)
        self._due |= {pair for pair in everybody if pair[1] == amphora_id}

    async def answer(self, question: Question) -> Reply:
        """
        Take the figures of another vendor's driver.

        Raises:
            PermanentError: something else is asked, or they are no figures.
        """
        command = question.command
        if not isinstance(command, ReportStatistics):
            raise PermanentError(f"health does not take {command.TYPE}")
        at = self._clock.now().timestamp()
        figures = {str(key): msgspec.structs.asdict(value) for key, value in command.listeners.items()}
        source = statistics.source_of(command.provider)
        counted: dict[totals.Key, Counted] = {
            (source, "", key): value for key, value in traffic.from_beat(figures, at=at).items()
        }
        self._due |= await self._database.write(lambda connection: totals.put(connection, counted))
        return Accepted(position=Position(streams.STATISTICS, 0))

    async def run(self) -> None:
        while True:
            await self.flush()
            await self._clock.sleep(FLUSH_EVERY_S)

    async def flush(self) -> None:
        """Keep what has changed, and publish what may be published now."""
        if self._pending:
            pending, self._pending = self._pending, {}
            self._due |= await self._database.write(lambda connection: totals.keep(connection, pending))
        now = self._clock.monotonic()
        if now >= self._repeat_at:
            self._due |= await self._database.read(totals.everybody)
            self._repeat_at = now + REPEAT_EVERY_S
        self._not_before = {key: time for key, time in self._not_before.items() if time > now}
        await self._publish(sorted(pair for pair in self._due if pair[0] not in self._not_before))

    async def _publish(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            told = await self._database.read(partial(totals.statistics, load_balancer_id=pair[0], amphora_id=pair[1]))
            try:
                if told is not None:
                    await self._bus.publish(statistics.subject(told.load_balancer_id), statistics.encode(told))
            except RetryableError as exc:
                log.info("statistics not published yet", extra={"error": str(exc)})
                return
            self._due.discard(pair)
            self._not_before[pair[0]] = self._clock.monotonic() + PUBLISH_MOST_EVERY_S
