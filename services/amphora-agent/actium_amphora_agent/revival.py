"""Starting again what ended: at once the first time, ever more slowly where it dies again soon. Knows not what it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable

DELAYS_S = (0.0, 0.1, 0.5, 2.0, 5.0)
CALM_S = 10.0
"""After so long without a death the next one counts as the first."""


class Revival:
    """One task at a time that calls `revive` until nothing is missing any more; it never gives up."""

    def __init__(self, is_missing: Callable[[], bool], revive: Callable[[], Awaitable[None]]) -> None:
        self._is_missing = is_missing
        self._revive = revive
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._last_at = float("-inf")
        self._deaths = 0

    def wake(self) -> None:
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._stopped = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._is_missing():
            await asyncio.sleep(self._delay_s())
            await self._revive()

    def _delay_s(self) -> float:
        now = time.monotonic()
        self._deaths = 0 if now - self._last_at > CALM_S else self._deaths + 1
        delay_s = DELAYS_S[min(self._deaths, len(DELAYS_S) - 1)]
        self._last_at = now + delay_s
        return delay_s
