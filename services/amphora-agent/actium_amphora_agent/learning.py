"""
Whether haproxy still learns from its partner who is on which member: one that becomes master before that forgets clients.

A new haproxy asks its partner as soon as they are connected, and gives up after five seconds; a worker learns from the one before
it within milliseconds. So what is learnt once stays learnt until haproxy itself is started anew.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

from actium_amphora_agent.errors import Trouble

LOOK_EVERY_S = 0.1
_FLAGS = re.compile(r"\bdisabled=\d+ flags=0x([0-9a-f]+)")
"""Of the section: each peer has flags, too."""

_ALL_SAID = 0x3
"""haproxy's two bits for "my predecessor has told me all, or cannot" and "my partner has, or cannot"."""


def knows_all(peers: str) -> bool:
    """By the answer to `show peers`, which is empty where nothing is remembered of clients."""
    return all(int(flags, 16) & _ALL_SAID == _ALL_SAID for flags in _FLAGS.findall(peers))


class Learning:
    """`ask` gives what haproxy shows of its peers; `on_end` is called when it has learnt all."""

    def __init__(self, ask: Callable[[], Awaitable[str]], *, on_end: Callable[[], None]) -> None:
        self._ask = ask
        self._on_end = on_end
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        return self._watching is not None and not self._watching.done()

    async def begin(self) -> None:
        """Haproxy was started, or is looked at for the first time."""
        if not self.is_on and not await self._is_over():
            self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        while not await self._is_over():
            await asyncio.sleep(LOOK_EVERY_S)
        asyncio.get_running_loop().call_soon(self._on_end)  # when this task is done, and it shows

    async def _is_over(self) -> bool:
        try:
            return knows_all(await self._ask())
        except Trouble:
            return False  # between two workers; or it ended, and the next one begins to learn
