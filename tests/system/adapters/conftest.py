"""A throwaway world with its fabric standing, and proof that nothing of it is left."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actium_compute.adapters.namespaces import NamespaceMachines
from actium_network.adapters.netlink import NetlinkFabric
from contract.ports.embedded_world import World, traces
from system.adapters.wiring import boot


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World.make(tmp_path)
    await world.fabric().ensure()
    yield world
    ids = [entry.name for entry in world.amphorae.iterdir()] if world.amphorae.exists() else []
    world.remove()
    assert traces(world.name, *ids) == []


@pytest.fixture
def fabric(world: World) -> NetlinkFabric:
    return world.fabric()


@pytest.fixture
def machines(world: World) -> NamespaceMachines:
    return world.machines()


@pytest.fixture
async def amphora_id(world: World, fabric: NetlinkFabric, machines: NamespaceMachines) -> str:
    amphora_id = str(uuid.uuid4())
    await boot(world, fabric, machines, amphora_id, address="10.250.1.1")
    return amphora_id
