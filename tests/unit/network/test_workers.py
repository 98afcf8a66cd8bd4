"""Work per target: never twice at once, never forgotten, one failure stops nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import pytest

from actium_network.workers import Workers
from actium_shared.clock import SystemClock
from actium_shared.errors import BrokenStoreError, RetryableError


class QuickClock(SystemClock):
    """Sleeps as short as it can, and remembers how long it should have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def running(work: Callable[[str], Coroutine[None, None, None]], clock: QuickClock) -> AsyncIterator[Workers]:
    workers = Workers("test", work, clock)
    task = asyncio.create_task(workers.run())
    async with asyncio.timeout(5):
        yield workers
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def test_a_target_woken_during_its_work_is_looked_at_again_afterwards() -> None:
    running_now, most, calls = 0, 0, 0
    go = asyncio.Event()

    async def work(_target: str) -> None:
        nonlocal running_now, most, calls
        calls, running_now = calls + 1, running_now + 1
        most = max(most, running_now)
        await go.wait()
        running_now -= 1

    async with running(work, QuickClock()) as workers:
        workers.wake(["a"])
        await until(lambda: calls == 1)
        workers.wake(["a", "a"])
        await asyncio.sleep(0.01)
        go.set()
        await until(lambda: workers.busy == 0)
    assert (calls, most) == (2, 1)


async def test_targets_do_not_wait_for_each_other() -> None:
    done: list[str] = []

    async def work(target: str) -> None:
        if target == "slow":
            await asyncio.Event().wait()
        done.append(target)

    async with running(work, QuickClock()) as workers:
        workers.wake(["slow", "quick"])
        await until(lambda: done == ["quick"])
        assert workers.busy == 1


async def test_work_that_may_succeed_later_is_tried_again_with_growing_pauses() -> None:
    clock, calls = QuickClock(), 0

    async def work(_target: str) -> None:
        nonlocal calls
        calls += 1
        if calls < 9:
            raise RetryableError("not yet")

    async with running(work, clock) as workers:
        workers.wake(["a"])
        await until(lambda: calls == 9 and workers.busy == 0)
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert workers.failing == 0


async def test_a_fault_is_counted_and_tried_again_and_stops_nobody_else() -> None:
    clock = QuickClock()
    done: list[str] = []

    async def work(target: str) -> None:
        if target == "bad" and not workers.failing:
            raise ValueError("ours")
        done.append(target)

    async with running(work, clock) as workers:
        workers.wake(["bad", "good"])
        await until(lambda: sorted(done) == ["bad", "good"])
    assert (workers.failing, clock.slept) == (1, [30.0])


async def test_a_broken_store_ends_all_work() -> None:
    async def work(_target: str) -> None:
        raise BrokenStoreError("malformed")

    workers = Workers("test", work, QuickClock())
    workers.wake(["a"])
    async with asyncio.timeout(5):
        with pytest.raises(ExceptionGroup) as caught:
            await workers.run()
    assert isinstance(caught.value.exceptions[0], BrokenStoreError)
