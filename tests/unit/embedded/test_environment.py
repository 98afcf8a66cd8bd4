"""The lines of `./actium env` do in a shell what they say, and no other cloud's settings come through."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from actium_embedded import choosing, environment
from actium_embedded.processes import BIN
from actium_embedded.world import Choices, Ports, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    ports = Ports(api=9876, nats=2, nats_monitoring=3)
    networks = choosing.networks(choosing.PUBLIC_RANGE)
    return World(folder=tmp_path, choices=Choices(name="test", ports=ports, hosts=(), networks=networks))


@pytest.fixture(autouse=True)
def bare_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests themselves are run with `openstack` on their path."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def test_shell_that_evaluates_the_lines_has_the_client_and_its_settings(world: World) -> None:
    lines = "\n".join(environment.shell_lines(world))
    script = f'{lines}\necho "$OS_AUTH_URL"; command -v openstack'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shell.stdout == f"http://127.0.0.1:9876/identity/v3\n{BIN}/openstack\n"


def test_telling_a_shell_twice_does_not_lengthen_its_path(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin")
    once = environment.variables(world)["PATH"]
    monkeypatch.setenv("PATH", once)
    assert environment.variables(world)["PATH"] == once == f"{BIN}:/bin"


def test_shell_forgets_the_settings_of_another_cloud(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLOUD", "elsewhere")
    lines = "\n".join(environment.shell_lines(world))
    shell = subprocess.run(["sh", "-c", f'{lines}\necho "$OS_CLOUD."'], capture_output=True, text=True, check=True)
    assert shell.stdout == ".\n"


def test_settings_of_another_cloud_do_not_reach_our_clients(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLOUD", "elsewhere")
    monkeypatch.setenv("HOME", "/home/someone")
    variables = environment.for_client(world)
    assert "OS_CLOUD" not in variables
    assert variables["HOME"] == "/home/someone"


def test_with_keystone_the_shell_keeps_its_own_cloud(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with_keystone = msgspec.structs.replace(world, choices=msgspec.structs.replace(world.choices, auth="keystone"))
    monkeypatch.setenv("OS_CLOUD", "mine")
    lines = "\n".join(environment.shell_lines(with_keystone))
    shell = subprocess.run(
        ["sh", "-c", f'{lines}\necho "$OS_CLOUD $OS_AUTH_URL $ACTIUM_OPERATOR_KEY_FILE"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == f"mine  {world.secrets}/operator.key\n"
    assert environment.for_client(with_keystone)["OS_CLOUD"] == "mine"
