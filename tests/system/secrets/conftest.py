"""One world for all tests of this folder, with a back end."""

from collections.abc import Iterator

import pytest

from system.worlds import TestWorld, a_name, free_port


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    world = TestWorld(tmp_path_factory.mktemp("secrets") / "world", a_name("s"))
    world.up(port=free_port())
    try:
        world.actium("backend", "start", "one", "--network", "tenant-a")
        yield world
    finally:
        world.down(wipe=True)
