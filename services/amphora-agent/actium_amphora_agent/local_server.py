"""Serving haproxy on a socket file: one short conversation per connection, each with a deadline. Knows not what is said."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from actium_amphora_agent.logs import fields

log = logging.getLogger(__name__)

Converse = Callable[[asyncio.StreamReader], Awaitable[bytes]]
"""Reads what is asked, gives what is answered."""


class LocalServer:
    """Owns its connections: `close` ends them all."""

    def __init__(self, path: Path, converse: Converse, *, deadline_s: float) -> None:
        self._path = path
        self._converse = converse
        self._deadline_s = deadline_s
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._path.unlink(missing_ok=True)  # an earlier agent's
        self._server = await asyncio.start_unix_server(self._accept, self._path)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                writer.write(await self._converse(reader))
                await writer.drain()
        except (OSError, EOFError, ValueError, TimeoutError) as exc:
            log.debug("haproxy got no answer", extra=fields(socket=self._path.name, reason=repr(exc)))
        finally:
            writer.close()
            with contextlib.suppress(OSError):  # haproxy went first
                await writer.wait_closed()
