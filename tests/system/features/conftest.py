"""One amphora for all feature tests that need no other; each test gives it a configuration of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.amphora_agent.sandbox import Sandbox, build_image
from system.features.lab import Lab, a_lab
from system.features.scene import Scene, a_sandbox


@pytest.fixture(scope="session")
def amphora_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def feature_sandbox(tmp_path_factory: pytest.TempPathFactory, amphora_image: Path) -> Iterator[Sandbox]:
    with a_sandbox(tmp_path_factory.mktemp("features") / "amphora", amphora_image) as made:
        yield made


@pytest.fixture(scope="session")
def amphora_scene(feature_sandbox: Sandbox) -> Scene:
    return Scene(feature_sandbox)


@pytest.fixture
def scene(amphora_scene: Scene) -> Iterator[Scene]:
    yield amphora_scene
    amphora_scene.clear()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, amphora_image: Path) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("lab") / "amphora", amphora_image) as made:
        yield made
