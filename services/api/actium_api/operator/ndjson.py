"""A response of JSON lines that are written as they happen, and ends with its reader, gone or too slow."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 30.0
"""A reader who takes nothing for so long has its stream ended, rather than holding consumers on the bus."""

Emit = Callable[[object], Awaitable[None]]


class ReaderTooSlowError(Exception):
    """The reader took nothing for too long."""


class NdjsonResponse(StreamingResponse):
    """
    Runs `tell`, which gives each line to `emit`, for as long as somebody reads and the service is not `stopping`.

    Plain asyncio on purpose: what `tell` has open on the bus is closed by awaiting, and a cancelled scope of anyio
    cancels that too.
    """

    def __init__(
        self,
        tell: Callable[[Emit], Awaitable[None]],
        *,
        headers: Mapping[str, str] | None = None,
        stopping: asyncio.Event | None = None,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        super().__init__((), media_type="application/x-ndjson", headers=headers)
        self._stopping = stopping or asyncio.Event()
        self._send_timeout_s = send_timeout_s
        self._tell = tell
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        telling = asyncio.create_task(self._send_all(send))
        others = [asyncio.create_task(_disconnected(receive)), asyncio.create_task(self._stopping.wait())]
        try:
            await asyncio.wait((telling, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, *others):
                task.cancel()
            await asyncio.wait((telling, *others))
        if not telling.cancelled():
            telling.result()
        elif self._stopping.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        async def put(body: bytes, *, more: bool) -> None:
            try:
                async with asyncio.timeout(self._send_timeout_s):
                    await send({"type": "http.response.body", "body": body, "more_body": more})
            except TimeoutError as exc:
                raise ReaderTooSlowError from exc

        async def emit(line: object) -> None:
            await put(self._encode(line) + b"\n", more=True)
            # Else a long past is told to a reader who is gone: nothing between two lines lets anybody learn of it.
            await asyncio.sleep(0)

        try:
            await put(b"", more=True)  # sends the head: a follower knows that it follows before anything happens
            await self._tell(emit)
            await put(b"", more=False)
        except* ReaderTooSlowError:
            log.info("a reader of the log takes nothing, so its stream ends")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
