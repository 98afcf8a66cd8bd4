"""One amphora for all feature tests that need no other; each test gives it a configuration of its own."""

from collections.abc import Iterator

import pytest

from system.amphora_agent.sandbox import Authority, Sandbox, build_image, ip
from system.features.lab import Lab, a_lab
from system.features.scene import OTHER_CLIENTS, Scene


@pytest.fixture(scope="session")
def feature_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("features")
    made = Sandbox(folder / "amphora", build_image(folder / "image"), Authority())
    try:
        for client in OTHER_CLIENTS:
            ip("-n", made.fabric, "addr", "add", f"{client}/24", "dev", "public")
        made.start()
        yield made
    finally:
        made.destroy()
        print(made.log())


@pytest.fixture(scope="session")
def amphora_scene(feature_sandbox: Sandbox) -> Scene:
    return Scene(feature_sandbox)


@pytest.fixture
def scene(amphora_scene: Scene) -> Iterator[Scene]:
    yield amphora_scene
    amphora_scene.clear()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with a_lab(folder / "amphora", build_image(folder / "image")) as made:
        yield made
