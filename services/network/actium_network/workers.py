"""Work in the background: one task per target, woken by name, trying again until there is nothing left to do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from actium_shared.clock import Clock
from actium_shared.errors import BrokenStoreError, RetryableError, VersionConflictError

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0
FAULT_RETRY_S = 30.0
"""After a fault of ours: it will hardly be cured, but it must not stop the others or be forgotten."""


class Workers:
    """
    Runs `work(target)` for each target that was woken, never twice at once for the same one.

    `work` looks up what is to do and returns when nothing is left. What stops it is the end of `run`.
    """

    def __init__(self, name: str, work: Callable[[str], Awaitable[None]], clock: Clock) -> None:
        self.name = name
        self.failing = 0
        self._work = work
        self._clock = clock
        self._woken: asyncio.Queue[str] = asyncio.Queue()
        self._again: dict[str, bool] = {}

    @property
    def busy(self) -> int:
        """How many targets are being worked on."""
        return len(self._again)

    def wake(self, targets: Iterable[str]) -> None:
        """Have these targets looked at, now or when their present work is done."""
        for target in targets:
            self._woken.put_nowait(target)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                target = await self._woken.get()
                if target in self._again:
                    self._again[target] = True
                else:
                    self._again[target] = False
                    group.create_task(self._until_done(target), name=f"{self.name} {target}")

    async def _until_done(self, target: str) -> None:
        delay_s = RETRY_FIRST_S
        while True:
            self._again[target] = False
            failure = await self._try(target)
            if failure is not None:
                await self._clock.sleep(delay_s if failure else FAULT_RETRY_S)
                delay_s = min(2 * delay_s, RETRY_MOST_S)
            elif not self._again[target]:
                del self._again[target]
                return

    async def _try(self, target: str) -> bool | None:
        """Give None when it is done, else whether the failure may pass by itself."""
        try:
            await self._work(target)
        except (RetryableError, VersionConflictError) as exc:
            log.warning("again", extra={"work": self.name, "target": target, "error": str(exc)})
            return True
        except BrokenStoreError:
            raise
        except Exception:
            self.failing += 1
            log.exception("work failed", extra={"work": self.name, "target": target})
            return False
        return None
