"""How far the planner has read each stream, kept in the SNAPSHOTS stream. Behind by a second at most: reading again is harmless."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from actium_shared import streams
from actium_shared.bus import ApiError, Bus, Delivery
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError

log = logging.getLogger(__name__)

SUBJECT = "snap.planner.positions"
SAVE_EVERY_S = 1.0
CATCH_UP_S = 10.0


class FeedPositions:
    """Positions by stream."""

    def __init__(self, bus: Bus, clock: Clock, streams_read: Sequence[str]) -> None:
        self._bus, self._clock, self._streams = bus, clock, streams_read
        self._moved = asyncio.Event()
        self._positions: dict[str, int] = {}
        self._saved: dict[str, int] = {}

    def of(self, stream: str) -> int:
        """Give the sequence up to which a stream was read."""
        return self._positions.get(stream, 0)

    def reached(self, delivery: Delivery) -> None:
        """Note that everything up to this one has been dealt with."""
        self._positions[delivery.stream] = delivery.sequence
        self._moved.set()
        self._moved = asyncio.Event()

    async def caught_up(self) -> None:
        """
        Return when everything that stands on the streams now has been dealt with.

        Raises:
            RetryableError: it has not within `CATCH_UP_S`.
        """
        ends = {stream: await self._bus.last_sequence(stream) for stream in self._streams}
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while any(self.of(stream) < end for stream, end in ends.items()):
                    await self._moved.wait()
        except TimeoutError as exc:
            raise RetryableError(f"the feeds are behind {ends}") from exc

    async def load(self) -> None:
        """Learn where the last run stood; nothing is known the first time."""
        answer = await self._bus.request(f"$JS.API.DIRECT.GET.{streams.SNAPSHOTS}.{SUBJECT}", b"", timeout_s=5.0)
        if answer.headers and answer.headers.get("Status") == "404":
            return
        self._positions = msgspec.msgpack.decode(answer.data, type=dict[str, int])
        self._saved = dict(self._positions)

    async def keep_saving(self) -> None:
        """Save about once a second while something moves, and a last time when cancelled."""
        try:
            while True:
                await self._clock.sleep(SAVE_EVERY_S)
                await self.save()
        except asyncio.CancelledError:
            await self.save()
            raise

    async def save(self) -> None:
        """Save now, unless nothing has moved."""
        if self._positions == self._saved:
            return
        now = dict(self._positions)
        try:
            await self._bus.store(SUBJECT, msgspec.msgpack.encode(now), headers={}, timeout_s=2.0)
            self._saved = now
        except (RetryableError, ApiError) as exc:
            log.warning("positions not saved, next time", extra={"error": str(exc)})
