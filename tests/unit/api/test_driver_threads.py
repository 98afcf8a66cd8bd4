"""Foreign code in threads, and whose turn it is: what hangs holds up nobody else, and nothing overtakes it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from actium_api.drivers import turns
from actium_api.drivers.threads import Threads
from actium_api.drivers.turns import Turns
from actium_api.faults import Fault
from builders import LB

DEADLINE_S = 10.0


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def too_late(call: Awaitable[object]) -> None:
    with pytest.raises(TimeoutError):
        await call


async def test_a_provider_whose_calls_hang_is_turned_away_and_no_other() -> None:
    stuck, other, release = Threads("stuck", most=2), Threads("other", most=2), threading.Event()
    hanging = [too_late(stuck.run(lambda: release.wait(DEADLINE_S), what="hangs", timeout_s=0.05)) for _ in range(2)]
    await asyncio.gather(*hanging)
    with pytest.raises(Fault, match="2 calls to the driver of provider 'stuck' are under way"):
        await stuck.run(lambda: 1, what="no room", timeout_s=1.0)
    assert await other.run(lambda: 1, what="room", timeout_s=DEADLINE_S) == 1
    release.set()

    async def has_room() -> bool:
        try:
            return await stuck.run(lambda: True, what="room again", timeout_s=DEADLINE_S)
        except Fault:
            return False

    async with asyncio.timeout(DEADLINE_S):
        while not await has_room():
            await asyncio.sleep(0.01)


async def test_a_turn_lasts_until_its_late_call_has_come_back() -> None:
    taken, threads, release = Turns("acme", HandClock()), Threads("acme"), threading.Event()
    with taken.take(LB) as turn:
        turn.begun()
        late = threads.run(lambda: release.wait(DEADLINE_S), what="late", timeout_s=0.05, ended=turn.ended)
        await too_late(late)
    with pytest.raises(Fault, match="still at work") as refused:
        taken.take(LB)
    assert refused.value.status == 409
    release.set()

    def is_free() -> bool:
        try:
            with taken.take(LB):
                return True
        except Fault:
            return False

    await until(is_free)


def test_a_call_that_hangs_for_good_is_waited_for_no_longer_and_frees_nobody_elses_turn() -> None:
    clock = HandClock()
    taken = Turns("acme", clock)
    with taken.take(LB) as hung:
        hung.begun()
    clock.seconds = turns.GIVEN_UP_S
    with taken.take(LB):
        hung.ended()
        with pytest.raises(Fault):
            taken.take(LB)
