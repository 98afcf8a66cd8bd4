"""One world for all tests of this folder, with a back end."""

import os
from collections.abc import Iterator

import pytest

from system.first_light.worlds import TestWorld, a_name, free_port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if os.geteuid() != 0 and "system/secrets" in str(item.path):
            item.add_marker(pytest.mark.skip("needs root"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    world = TestWorld(tmp_path_factory.mktemp("secrets") / "world", a_name("s"))
    world.up(port=free_port())
    try:
        world.actium("backend", "start", "one", "--network", "tenant-a")
        yield world
    finally:
        world.down(wipe=True)
