"""An amphora for each test, and afterwards the proof that nothing of it is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.amphora_agent.controller import Authority
from system.amphora_agent.sandbox import Sandbox, build_image
from system.amphora_agent.serving import World


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_image(tmp_path_factory.mktemp("image"))


@pytest.fixture
def sandbox(tmp_path: Path, image: Path, authority: Authority, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path / "amphora", image, authority)
    try:
        made.start()
        yield made
    finally:
        made.destroy()
        print(made.log())


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    made = World(sandbox)
    yield made
    made.close()
