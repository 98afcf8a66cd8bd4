"""
Traffic totals outlive our database: of each load balancer the last ones lie in a snapshot that no age limit touches.

Written once a minute where something changed; what came after the last one still lies in STATISTICS.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import msgspec

from actium_health.read_model import totals
from actium_shared import statistics, streams
from actium_shared.bus import Bus
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError, UnreadableError
from actium_shared.read_model import Database
from actium_shared.statistics import LoadBalancerStatistics
from actium_shared.streams import SNAPSHOTS, STATISTICS

log = logging.getLogger(__name__)

WRITE_EVERY_S = 60.0
WRITE_MOST = 200
"""At once, so that the loop that writes has time for other things."""

READ_AGAIN_S = 3 * WRITE_EVERY_S
SUBJECTS = "snap.health.totals.>"


class Checkpoint:
    """`mark` those whose totals were published, `write` often, `restore` at the start on an empty database."""

    def __init__(self, bus: Bus, database: Database, clock: Clock) -> None:
        self._bus, self._database, self._clock = bus, database, clock
        self._marked: dict[str, None] = {}
        self._known: set[str] = set()
        self._not_before = float("-inf")

    def mark(self, load_balancer_id: str) -> None:
        self._marked[load_balancer_id] = None
        self._known.add(load_balancer_id)

    def gone(self, load_balancer_id: str) -> None:
        """It was deleted: nothing of it is to be restored."""
        if load_balancer_id in self._known:
            self._known.discard(load_balancer_id)
            self._marked[load_balancer_id] = None

    async def write(self, now: float) -> None:
        """Write what is marked, once in a while."""
        if not self._marked or now < self._not_before:
            return
        for load_balancer_id in list(self._marked)[:WRITE_MOST]:
            told = await self._database.read(partial(totals.all_of, load_balancer_id=load_balancer_id))
            try:
                await self._bus.publish(_subject(load_balancer_id), _encoded(told))
            except RetryableError as exc:
                log.info("checkpoint not written yet", extra={"error": str(exc)})
                return
            self._marked.pop(load_balancer_id, None)
        if not self._marked:
            self._not_before = now + WRITE_EVERY_S

    async def restore(self) -> set[tuple[str, str]]:
        """
        Give the (load balancer, amphora) pairs whose totals were brought back; those that the tables know stay as they are.

        Raises:
            RetryableError: the bus does not tell what was published.
        """
        found: dict[tuple[str, str], LoadBalancerStatistics] = {}
        async for delivery in self._bus.feed(SNAPSHOTS, after=0, subjects=(SUBJECTS,), until_end=True):
            _note(found, _decoded(delivery.body))
        async for delivery in self._bus.feed(STATISTICS, after=await self._lately(), until_end=True):
            _note(found, [delivery.body])
        if not found:
            return set()
        restored = await self._database.write(lambda connection: totals.restore(connection, found.values()))
        log.info("traffic totals restored", extra={"published": len(found), "restored": len(restored)})
        return restored

    async def _lately(self) -> int:
        """Give the sequence behind which STATISTICS may hold what no snapshot does."""
        end = await self._bus.last_sequence(STATISTICS)
        stored_at = await self._bus.stored_at(STATISTICS, end) if end else None
        if stored_at is None:
            return end
        return await self._bus.first_since(STATISTICS, stored_at - timedelta(seconds=READ_AGAIN_S)) - 1


def _subject(load_balancer_id: str) -> str:
    return f"snap.health.totals.{streams.token(load_balancer_id)}"


def _encoded(told: Iterable[LoadBalancerStatistics]) -> bytes:
    return msgspec.msgpack.encode([statistics.encode(each) for each in told])


def _decoded(body: bytes) -> list[bytes]:
    try:
        return msgspec.msgpack.decode(body, type=list[bytes])
    except msgspec.DecodeError as exc:
        log.warning("snapshot passed over", extra={"error": str(exc)})
        return []


def _note(found: dict[tuple[str, str], LoadBalancerStatistics], bodies: Iterable[bytes]) -> None:
    for body in bodies:
        try:
            told = statistics.decode(body)
        except UnreadableError as exc:
            log.warning("statistics passed over", extra={"error": str(exc)})
        else:
            found[(told.load_balancer_id, told.amphora_id)] = told
