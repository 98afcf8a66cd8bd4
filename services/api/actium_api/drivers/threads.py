"""
Foreign code in threads of its own, with a deadline: what hangs there holds up neither the loop nor the end of the process,
and of other providers' calls none.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from actium_api.faults import Fault

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST = 32
"""Calls of one provider at a time; more are turned away, as a driver that hangs would otherwise fill the process."""


class Threads:
    """The threads of one provider."""

    def __init__(self, provider: str, *, most: int = MOST) -> None:
        self._provider, self._most = provider, most
        self._free = threading.BoundedSemaphore(most)

    async def run(
        self, call: Callable[[], T], *, what: str, timeout_s: float, ended: Callable[[], None] = lambda: None
    ) -> T:
        """
        Give what `call` gives, or raise what it raises. One that is late runs on, and nobody hears its outcome.

        `ended` is called in the loop when the call has come back, however late that is.

        Raises:
            TimeoutError: it has not returned in time.
            Fault: 503, too many calls are under way.
        """
        if not self._free.acquire(blocking=False):
            ended()
            busy = f"{self._most} calls to the driver of provider '{self._provider}' are under way already"
            raise Fault(503, f"{busy}; try again later.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def tell(value: T | None, exc: BaseException | None) -> None:
            ended()
            if done.done():
                log.warning("call came back too late", extra={"call": what, "error": repr(exc) if exc else None})
            elif exc is not None:
                done.set_exception(exc)
            else:
                done.set_result(value)  # type: ignore[arg-type]  # it is None where T allows it

        def inside() -> None:
            value: T | None = None
            failure: BaseException | None = None
            try:
                value = call()
            except BaseException as exc:  # noqa: BLE001 - handed on
                failure = exc
            finally:
                self._free.release()
            try:
                loop.call_soon_threadsafe(tell, value, failure)
            except RuntimeError:
                log.warning("call came back after the end", extra={"call": what})

        threading.Thread(target=inside, name=what, daemon=True).start()
        async with asyncio.timeout(timeout_s):
            return await done
