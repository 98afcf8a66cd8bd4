"""Running blocking work in a thread in such a way that a lock around it means something."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(work: Callable[[], T], *, threads: Executor | None = None) -> T:
    """
    Run `work` in a thread, one of `threads` where it must not wait for everybody's.

    A cancelled caller still waits for its end: a thread cannot be stopped half-way.
    """
    in_context = partial(contextvars.copy_context().run, work)
    running = asyncio.get_running_loop().run_in_executor(threads, in_context)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
