"""How long something that blocks may still take, and a lock that keeps to it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actium_shared.clock import SystemClock
from actium_shared.errors import RetryableError

_CLOCK = SystemClock()
_TRY_AGAIN_S = 0.005


class Deadline:
    """A moment after which the work is given up; blocking calls take `left_s()` as their time-out."""

    def __init__(self, seconds: float, what: str) -> None:
        self._seconds = seconds
        self._what = what
        self._ends_at_s = _CLOCK.monotonic() + seconds

    def left_s(self) -> float:
        """
        Give the seconds that are left.

        Raises:
            RetryableError: none are; the message says what took too long.
        """
        left_s = self._ends_at_s - _CLOCK.monotonic()
        if left_s <= 0:
            raise self.lapsed()
        return left_s

    def lapsed(self) -> RetryableError:
        return RetryableError(f"{self._what}: not done within {self._seconds:g} s")


@contextmanager
def locked(folder: Path, deadline: Deadline) -> Iterator[None]:
    """Be the only process in the block that locks this folder; a killed one's lock goes with it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _try_lock(handle):
            time.sleep(min(_TRY_AGAIN_S, deadline.left_s()))
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
