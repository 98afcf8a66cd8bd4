"""Compute in this process; see `bench`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actium_shared.testing.nats_server import NatsServer
from integration.compute.bench import Amphora, Bench


@pytest.fixture
async def bench(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        bench = Bench(nats_server, tmp_path, stack)
        await bench.connect()
        await bench.start()
        yield bench
        await bench.stop()
        await bench.machines.lose_all()


@pytest.fixture
def amphora() -> Amphora:
    return Amphora()
