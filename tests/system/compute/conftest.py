"""Compute with all that is real; planner and network are the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actium_compute.adapters.images import Images
from actium_compute.adapters.management import FabricManagementNetwork
from actium_compute.main import DEFAULT_IMAGE
from actium_shared.testing.nats_server import NatsServer
from contract.ports.embedded_world import World, traces
from integration.compute.bench import Bench
from system.compute.scene import Scene, answer_all, make_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    world = World.make(tmp_path)
    await world.fabric().ensure()
    Images(tmp_path / "images").build(DEFAULT_IMAGE)
    server = NatsServer(tmp_path / "nats", sync_always=True)
    server.start()
    backend = await asyncio.start_server(answer_all, "0.0.0.0", 0)
    async with AsyncExitStack() as stack:
        bench = Bench(server, tmp_path, stack)
        bench.machines = world.machines()
        bench.management = FabricManagementNetwork(world.plan.namespace)
        bench.changed_settings = {"gateway_bind": "10.250.0.1:9444"}
        await bench.connect()
        await bench.start()
        yield await make_scene(bench, world, backend.sockets[0].getsockname()[1])
        await bench.stop()
    server.stop()
    backend.close()
    ids = [entry.name for entry in world.amphorae.iterdir()] if world.amphorae.exists() else []
    world.remove()
    assert traces(world.name, *ids) == []
