"""What haproxy last said of its members, for the worker that comes after it: the next one after a reload, or after a crash."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.server_state import carried_over, dead
from actium_amphora_agent.store import write_atomically

SETTLE_S = 0.02
"""Edges come in bursts, and a listing of a thousand servers costs haproxy a millisecond."""


class Verdicts:
    """`ask` gives what haproxy shows of its servers' states. Kept in a file: the agent may be killed with haproxy."""

    def __init__(self, path: Path, ask: Callable[[], Awaitable[str]]) -> None:
        self._path = path
        self._ask = ask
        self._looking: asyncio.Task[None] | None = None
        self._again = False

    def note(self) -> None:
        """A member changed: look, soon, while there is somebody to ask."""
        self._again = True
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def forget(self) -> None:
        """It was stopped on purpose: when it starts again, all this is long past."""
        self._path.unlink(missing_ok=True)

    async def after(self, configuration: bytes) -> bytes:
        """The state file for a worker that will read this configuration."""
        try:
            rows = dead(await self._ask())
        except Trouble:
            rows = self._kept()  # it does not answer, or never will
        return carried_over(rows, configuration)

    async def stop(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while self._again:
            await asyncio.sleep(SETTLE_S)
            self._again = False
            try:
                rows = dead(await self._ask())
            except Trouble:
                return  # it is gone: what was known before is what counts
            if rows != self._kept():
                write_atomically(self._path, "".join(f"{row}\n" for row in rows).encode())

    def _kept(self) -> list[str]:
        return dead(self._path.read_text()) if self._path.exists() else []
