"""A world of its own for each test: the ids of `builders` are always the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actium_shared.testing.nats_server import NatsServer
from integration.health.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    server = NatsServer(tmp_path / "nats")
    server.start()
    try:
        async with World(server, tmp_path) as made:
            yield made
    finally:
        server.stop()
