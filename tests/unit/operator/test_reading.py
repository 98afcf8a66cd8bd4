"""Several streams are told as one, in the order of time."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from actium_api.operator import reading
from actium_shared.bus import Delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def acknowledge() -> None: ...


def delivery(stream: str, sequence: int, at: int) -> Delivery:
    return Delivery(
        subject="s",
        body=b"",
        headers={},
        stream=stream,
        sequence=sequence,
        pending=0,
        delivery_count=1,
        time=NOW + timedelta(seconds=at),
        acknowledge=acknowledge,
        still_busy=acknowledge,
    )


async def feed(*deliveries: Delivery, closed: list[str] | None = None) -> AsyncGenerator[Delivery, None]:
    try:
        for one in deliveries:
            yield one
    finally:
        if closed is not None:
            closed.append("feed")


async def test_history_is_merged_by_time_and_empty_streams_do_no_harm() -> None:
    one = feed(delivery("A", 1, 1), delivery("A", 2, 4))
    two = feed(delivery("B", 1, 2), delivery("B", 2, 3), delivery("B", 3, 5))
    merged = [(got.stream, got.sequence) async for got in reading.merged([one, feed(), two])]
    assert merged == [("A", 1), ("B", 1), ("B", 2), ("A", 2), ("B", 3)]


async def test_feeds_are_closed_when_the_reader_stops_in_the_middle() -> None:
    closed: list[str] = []
    feeds = [feed(delivery(name, 1, 1), delivery(name, 2, 2), closed=closed) for name in "AB"]
    merged = reading.merged(feeds)
    await anext(merged)
    await merged.aclose()
    assert closed == ["feed", "feed"]


async def test_an_effect_that_arrives_before_its_cause_is_told_after_it() -> None:
    settling = reading.Settling()
    told: list[str] = []
    both = asyncio.Event()

    async def deliver(got: Delivery) -> None:
        told.append(got.stream)
        if len(told) == 2:
            both.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        handing = group.create_task(settling.hand_over(deliver))
        await settling.put(delivery("effect", 1, 2))
        await asyncio.sleep(0)
        await settling.put(delivery("cause", 1, 1))
        await both.wait()
        handing.cancel()
    assert told == ["cause", "effect"]
