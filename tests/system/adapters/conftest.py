"""A throwaway world with its fabric standing, and proof that nothing of it is left."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.ports.embedded_world import World, traces


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World.make(tmp_path)
    await world.fabric().ensure()
    yield world
    ids = [entry.name for entry in world.amphorae.iterdir()] if world.amphorae.exists() else []
    world.remove()
    assert traces(world.name, *ids) == []
