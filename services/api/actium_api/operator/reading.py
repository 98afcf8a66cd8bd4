"""Reading all event streams as one: history in the order of time, then what comes. Opens consumers and closes them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from heapq import heapify, heappop, heappush

from actium_api.operator.starting_point import After
from actium_shared.bus import Bus, Delivery
from actium_shared.clock import Clock, SystemClock

EVERYTHING = (">",)
SETTLE_S = 0.1
"""Longer than one stream's delivery is behind another's; short for a person who watches."""

WAITING_MOST = 1_000


async def history(
    bus: Bus, *, after: After, until: After, subjects: Mapping[str, tuple[str, ...]] | None = None
) -> AsyncGenerator[Delivery, None]:
    """Give what stands behind `after` up to and with `until`, oldest first; of the given subjects only."""
    chosen = dict.fromkeys(until, EVERYTHING) if subjects is None else subjects
    feeds = [
        _bounded(bus, stream, after=after[stream], until=until[stream], subjects=wanted)
        for stream, wanted in chosen.items()
        if wanted and after[stream] < until[stream]
    ]
    async with aclosing(merged(feeds)) as deliveries:
        async for delivery in deliveries:
            yield delivery


async def _bounded(
    bus: Bus, stream: str, *, after: int, until: int, subjects: tuple[str, ...]
) -> AsyncGenerator[Delivery, None]:
    filters = () if subjects == EVERYTHING else subjects
    async with aclosing(bus.feed(stream, after=after, subjects=filters, until_end=True)) as feed:
        async for delivery in feed:
            if delivery.sequence > until:
                return
            yield delivery
            if delivery.sequence == until:
                return


async def merged(feeds: list[AsyncGenerator[Delivery, None]]) -> AsyncGenerator[Delivery, None]:
    """Merge feeds that are each in order, by the time at which the log took their messages."""
    async with AsyncExitStack() as stack:
        for feed in feeds:
            await stack.enter_async_context(aclosing(feed))
        firsts = await asyncio.gather(*(anext(feed, None) for feed in feeds))
        heads = [(first.time, number, first) for number, first in enumerate(firsts) if first is not None]
        heapify(heads)
        while heads:
            _, number, delivery = heappop(heads)
            yield delivery
            following = await anext(feeds[number], None)
            if following is not None:
                heappush(heads, (following.time, number, following))


async def follow(bus: Bus, *, after: After, deliver: Callable[[Delivery], Awaitable[None]]) -> None:
    """Hand over every message behind `after`, one at a time, until cancelled."""
    settling = Settling()

    async def read(stream: str, last: int) -> None:
        async with aclosing(bus.feed(stream, after=last)) as feed:
            async for delivery in feed:
                await settling.put(delivery)

    async with asyncio.TaskGroup() as group:
        for stream, last in after.items():
            group.create_task(read(stream, last))
        await settling.hand_over(deliver)


class Settling:
    """
    Holds what comes from several streams a moment, so that it is told in the order in which it happened.

    Streams are read side by side, and without this an effect is often seen before its cause.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._waiting: list[tuple[datetime, str, int, float, Delivery]] = []
        self._some = asyncio.Event()
        self._room = asyncio.Semaphore(WAITING_MOST)

    async def put(self, delivery: Delivery) -> None:
        """Take one; waits while there are too many."""
        await self._room.acquire()
        ready_at = self._clock.monotonic() + SETTLE_S
        heappush(self._waiting, (delivery.time, delivery.stream, delivery.sequence, ready_at, delivery))
        self._some.set()

    async def hand_over(self, deliver: Callable[[Delivery], Awaitable[None]]) -> None:
        """Give what has settled, oldest first, until cancelled."""
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            wait_s = self._waiting[0][3] - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
                continue  # an older one may have come meanwhile
            delivery = heappop(self._waiting)[4]
            self._room.release()
            await deliver(delivery)
