"""The operator API over real HTTP, on a real nats-server with a log that the test writes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.datastructures import State

from actium_api import operator
from actium_api.http_protocol import Protocol
from actium_api.settings import ApiSettings
from actium_shared.bus import Bus
from actium_shared.testing.nats_server import NatsServer
from integration.operator.writing import Log, writing


@dataclass(frozen=True, slots=True)
class OperatorApi:
    url: str
    bus: Bus
    client: httpx.AsyncClient
    names: dict[str, list[str]]
    """What the tenant API would find by name."""
    state: State
    """What the application shares with its routes."""


@pytest.fixture
async def log(nats_server: NatsServer) -> AsyncIterator[Log]:
    async with writing(nats_server) as log:
        yield log


@pytest.fixture
async def api(nats_server: NatsServer) -> AsyncIterator[OperatorApi]:
    async with nats_server.bus("api") as bus:
        app = FastAPI()
        app.include_router(operator.router)
        app.state.bus = bus
        app.state.settings = ApiSettings(nats_url=nats_server.url)
        names: dict[str, list[str]] = {}

        @app.get("/v2.0/lbaas/loadbalancers")
        async def find(name: str) -> dict[str, list[dict[str, str]]]:
            return {"loadbalancers": [{"id": one} for one in names.get(name, [])]}

        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            app, http=Protocol, ws="none", log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            yield OperatorApi(url, bus, client, names, app.state)
        server.should_exit = True
        await serving
