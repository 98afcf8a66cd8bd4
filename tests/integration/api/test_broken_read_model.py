"""A read model that cannot be used ends the API, whoever finds out: the next start makes it good."""

import asyncio
import sqlite3
from pathlib import Path

import httpx
import pytest

from actium_api.main import main
from actium_api.settings import ApiSettings
from actium_shared.errors import BrokenStoreError
from actium_shared.testing.nats_server import NatsServer, free_port

DEADLINE_S = 20.0


async def status_of(client: httpx.AsyncClient, path: str) -> int:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return (await client.get(path)).status_code
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def test_a_request_that_finds_the_read_model_broken_ends_the_process(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(nats_server.password("api"))
    settings = ApiSettings(
        nats_url=nats_server.url,
        nats_password_file=password,
        listen_port=free_port(),
        database_url=f"sqlite:///{tmp_path}/api.sqlite",
    )
    running = asyncio.create_task(main(settings))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.listen_port}") as client:
        assert await status_of(client, "/v2/lbaas/loadbalancers") == 200
        with sqlite3.connect(tmp_path / "api.sqlite") as connection:
            connection.execute("DROP TABLE load_balancers")
        assert await status_of(client, "/v2/lbaas/loadbalancers") == 500
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(ExceptionGroup) as caught:
            await running
    assert isinstance(caught.value.exceptions[0], BrokenStoreError)
