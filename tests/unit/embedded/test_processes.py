"""The table of processes and the services' own settings fit: an unknown or missing name would stop a service at start."""

from importlib import import_module
from pathlib import Path

import pytest

from actium_embedded import choosing, keys, processes
from actium_embedded.errors import WorldError
from actium_embedded.world import Choices, Ports, World
from actium_shared.settings import Settings

SETTINGS = {
    "network": ("actium_network.settings", "NetworkSettings"),
    "compute": ("actium_compute.settings", "ComputeSettings"),
    "planner": ("actium_planner.settings", "PlannerSettings"),
    "health": ("actium_health.settings", "HealthSettings"),
    "relay": ("actium_health.settings", "RelaySettings"),
    "api": ("actium_api.settings", "ApiSettings"),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    ports = Ports(api=1, nats=2, nats_monitoring=3)
    networks = choosing.networks(choosing.PUBLIC_RANGE)
    choices = Choices(name="test", ports=ports, hosts=choosing.HOSTS, networks=networks)
    made = World(folder=tmp_path, choices=choices)
    made.make_folders()
    keys.make(made)
    return made


@pytest.mark.parametrize("name", SETTINGS)
def test_service_accepts_exactly_what_it_is_started_with(world: World, name: str) -> None:
    module, kind = SETTINGS[name]
    settings: type[Settings] = getattr(import_module(module), kind)
    process = next(process for process in processes.table(world) if process.name == name)
    read = settings.from_environment(process.environment)
    assert read.nats_user == name
    assert read.nats_password() == keys.password_file(world, name).read_text()


def test_every_process_but_the_bus_has_settings_here(world: World) -> None:
    assert {process.name for process in processes.table(world)} == {*SETTINGS, processes.NATS_SERVER}


def environment_of(world: World, name: str) -> dict[str, str]:
    return next(process.environment for process in processes.table(world) if process.name == name)


def test_settings_of_the_environment_reach_those_who_know_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIUM_QUOTA_MEMBER", "500")
    monkeypatch.setenv("ACTIUM_DRIVER_AGENT_FOLDER", "sockets")
    processes.check_settings(world)
    for name in ("api", "planner"):
        assert environment_of(world, name)["ACTIUM_QUOTA_MEMBER"] == "500"
    assert "ACTIUM_QUOTA_MEMBER" not in environment_of(world, "network")
    assert environment_of(world, "api")["ACTIUM_DRIVER_AGENT_FOLDER"] == str(Path("sockets").absolute())


@pytest.mark.parametrize("name", ["ACTIUM_QUOTA_MEMBERS", "ACTIUM_DATABASE_URL"])
def test_a_setting_that_would_have_no_effect_is_refused_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "5")
    with pytest.raises(WorldError, match=name):
        processes.check_settings(world)


def test_settings_that_a_running_world_would_be_deaf_to_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIUM_QUOTA_POOL", "7")
    running = processes.table(world)
    assert processes.settings_not_in_force(world, running) == []
    monkeypatch.setenv("ACTIUM_QUOTA_MEMBER", "500")
    assert processes.settings_not_in_force(world, running) == ["ACTIUM_QUOTA_MEMBER"]
    monkeypatch.delenv("ACTIUM_QUOTA_MEMBER")
    monkeypatch.delenv("ACTIUM_QUOTA_POOL")
    assert processes.settings_not_in_force(world, running) == [], "what this shell does not name stays"


def test_what_the_command_line_itself_goes_by_is_no_setting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIUM_WORLD", "/some/folder")
    monkeypatch.setenv("ACTIUM_OPERATOR_KEY_FILE", "/some/key")
    processes.check_settings(world)
    assert "ACTIUM_OPERATOR_KEY_FILE" not in environment_of(world, "api")
