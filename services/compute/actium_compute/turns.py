"""How much is done at once, so that what hangs holds up only itself. What is done is others' business."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LONG_S = 0.5
"""What takes longer waits for somebody, and needs none of the processor that turns are there to share out."""

LONG_ONES_MOST = 256
"""Each is a TLS connection that waits: a quarter of a megabyte."""

AGAIN_MOST = 64


class Turns:
    """
    `at_once` so many. One that takes long goes on without its turn, and the next one begins.

    What failed before takes its turns apart from what did not, and keeps them: a hundred agents that hang are asked again
    and again, and none that would answer waits behind them.
    """

    def __init__(self, at_once: int, *, again_most: int = AGAIN_MOST, long_s: float = LONG_S) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._again = asyncio.Semaphore(again_most)
        self._long_s = long_s
        self._long_ones = 0

    @asynccontextmanager
    async def first(self) -> AsyncIterator[None]:
        """Have a turn for something that has not failed."""
        await self._free.acquire()
        turn = _Turn()
        long_at = asyncio.get_running_loop().call_later(self._long_s, self._go_on_without, turn)
        try:
            yield
        finally:
            long_at.cancel()
            if turn.is_over:
                self._long_ones -= 1
            else:
                self._free.release()

    @asynccontextmanager
    async def again(self) -> AsyncIterator[None]:
        """Have a turn for something that failed the last time."""
        async with self._again:
            yield

    def _go_on_without(self, turn: "_Turn") -> None:
        if self._long_ones < LONG_ONES_MOST:
            turn.is_over = True
            self._long_ones += 1
            self._free.release()


class _Turn:
    """`is_over` before what it was for."""

    is_over = False
