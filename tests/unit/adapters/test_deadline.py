"""Deadlines of blocking work, and waiting for it."""

import asyncio
import threading

import pytest

from actium_shared.embedded.deadline import Deadline
from actium_shared.embedded.threads import to_the_end
from actium_shared.errors import RetryableError


def test_a_deadline_gives_what_is_left() -> None:
    assert 0 < Deadline(5, "work").left_s() <= 5


def test_a_passed_deadline_says_what_took_too_long() -> None:
    with pytest.raises(RetryableError, match="making the fabric: not done within 0 s"):
        Deadline(0, "making the fabric").left_s()


async def test_a_cancelled_caller_still_waits_for_the_end_of_its_work() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(5)
        ended.set()

    caller = asyncio.create_task(to_the_end(work))
    await asyncio.to_thread(begun.wait, 5)
    caller.cancel()
    done, _ = await asyncio.wait([caller], timeout=0.05)
    assert not done
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
