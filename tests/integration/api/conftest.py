"""The world that most tests of the API run in, a fresh one each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from actium_shared.testing.nats_server import NatsServer
from integration.api.world import World, running


@pytest_asyncio.fixture
async def world(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[World]:
    async with running(nats_server, tmp_path) as made:
        yield made
