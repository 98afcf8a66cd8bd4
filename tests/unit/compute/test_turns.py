"""Turns: what takes long lets others go on, and what failed before waits among its like."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from actium_compute import turns
from actium_compute.turns import Turns

AT_ONCE_S = 0.05


async def _has_turn(wanted: Turns, *, again: bool = False, within_s: float = AT_ONCE_S) -> bool:
    try:
        async with asyncio.timeout(within_s), wanted.again() if again else wanted.first():
            return True
    except TimeoutError:
        return False


async def test_no_more_than_so_many_are_at_it_at_once() -> None:
    wanted = Turns(2, long_s=60.0)
    async with wanted.first(), wanted.first():
        assert not await _has_turn(wanted)
    assert await _has_turn(wanted)


async def test_what_takes_long_lets_the_next_one_go_on_and_no_more_than_that() -> None:
    wanted = Turns(1, long_s=0.02)
    async with wanted.first():
        async with asyncio.timeout(10):
            async with wanted.first():  # it has it once the other one is long
                pass
        assert await _has_turn(wanted)
    async with wanted.first():
        assert not await _has_turn(wanted, within_s=0.005)


async def test_those_that_may_take_long_are_not_without_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG_ONES_MOST", 1)
    wanted = Turns(1, long_s=0.01)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(wanted.first())
        assert not await _has_turn(wanted, within_s=0.1)


async def test_what_failed_before_takes_no_turns_from_others() -> None:
    wanted = Turns(1, again_most=2, long_s=60.0)
    async with wanted.again(), wanted.again():
        assert not await _has_turn(wanted, again=True)
        assert await _has_turn(wanted)
