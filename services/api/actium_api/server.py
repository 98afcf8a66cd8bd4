"""uvicorn as a loop of the service: started and stopped with it, signals left to it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from actium_api.http_protocol import Protocol
from actium_api.settings import ApiSettings
from actium_shared.errors import SettingsError

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 1.0
"""Requests in flight may take so long to finish; then they are cut. Streams without end always are."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the service decides when to stop


async def serve(app: FastAPI, settings: ApiSettings, *, stopping: Callable[[], None]) -> None:
    """
    Serve until cancelled; `stopping` is called first then, to hurry what is under way.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    config = uvicorn.Config(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        log_config=None,
        access_log=False,
        log_level=logging.WARNING,  # that it starts and stops is the service's to say
        http=Protocol,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(STOP_TIMEOUT_S),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except SystemExit as exc:  # uvicorn's way to say so
        raise SettingsError(f"cannot listen on {settings.listen_host}:{settings.listen_port}") from exc
    except asyncio.CancelledError:
        stopping()
        await _stop(server, serving)
        raise


async def _stop(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    """Let the server end by itself, however often this is cancelled meanwhile: it takes little more than its timeout."""
    server.should_exit = True
    deadline = asyncio.get_running_loop().time() + 3 * STOP_TIMEOUT_S
    while not serving.done() and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([serving], timeout=left_s)
    serving.cancel()
