"""The table of the world's processes: what each is started with. In step with the services' own settings.py."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from actium_embedded import keys, nats_config, passed_on, service_user
from actium_embedded.world import World

BIN = Path(sys.executable).parent
NATS_SERVER = "nats-server"
GARBAGE_PERCENT = "50"
"""Of what nats-server really holds: so much more it may hold before it tidies up. With Go's own 100 it takes half as much again."""

RELAY = "relay"
"""Passes on what amphorae say; a world whose amphorae say nothing does without."""

RELAY_PORT = 5555
GATEWAY_PORT = 9444
"""UDP, inside the fabric's namespace, so no other world can hold it."""


IMPATIENT = ("compute", RELAY)
"""Amphorae are compute's children and have from it how they are scheduled; a beat is to be passed on when it comes."""

PASSED_ON = ("TMPDIR", "TZ", "ACTIUM_FAILPOINTS_FOLDER")
"""From the environment of `up`; the last is for tests that kill services at chosen points."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """
    One process that the supervisor keeps alive.

    `patient`: when something comes for it, whoever has the processor keeps it to the end of his slice. More has come by
    then, and is handled together. What amphorae are made of is not patient, nor what is waited for by the clock.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    patient: bool = False


def table(world: World) -> tuple[Process, ...]:
    """In the order of starting, with the settings that the environment has for them."""
    return tuple(_with_settings(process) for process in _all(world) if world.is_on_host or process.name != RELAY)


def check_settings(world: World) -> None:
    """
    Look at the settings that the environment has for services.

    Raises:
        WorldError: one is of no service, or not to be set from outside.
    """
    passed_on.check({process.name: process.environment.keys() for process in _all(world)})


def settings_not_in_force(world: World, running: Sequence[Process]) -> list[str]:
    """Name the settings of the environment that processes which run already were not started with."""
    started_with = {process.name: process.environment for process in running}
    wanted = {process.name: _settings(process) for process in _all(world) if process.name in started_with}
    return sorted(
        {
            name
            for service, settings in wanted.items()
            for name, value in settings.items()
            if started_with[service].get(name) != value
        }
    )


def _with_settings(process: Process) -> Process:
    return msgspec.structs.replace(process, environment=process.environment | _settings(process))


def _settings(process: Process) -> dict[str, str]:
    """Those that the environment has for it; the bus has none."""
    return {} if process.name == NATS_SERVER else passed_on.chosen(process.name, but=process.environment)


def _all(world: World) -> tuple[Process, ...]:
    folder = str(world.data)
    database = {name: f"sqlite:///{world.data / name}.sqlite" for name in ("api", "network", "compute", "health")}
    master_key = str(keys.heartbeat_master_key(world))
    controller = world.network_with_role("management").controller
    relay, gateway = f"{controller}:{RELAY_PORT}", f"{controller}:{GATEWAY_PORT}"
    return (
        Process(
            name=NATS_SERVER,
            command=(str(BIN / "nats-server"), "--config", str(nats_config.config_file(world))),
            environment=_base_environment() | {"GOGC": GARBAGE_PERCENT},
            patient=True,
        ),
        _service(
            world,
            "network",
            ACTIUM_DATABASE_URL=database["network"],
            ACTIUM_FABRIC_FILE=str(world.fabric_file),
            ACTIUM_NOOP_FILE=f"{folder}/noop-networks.jsonl",
            ACTIUM_WORLD_NAME=world.name,
            ACTIUM_WORLD_KIND=world.choices.kind,
        ),
        _service(
            world,
            "compute",
            ACTIUM_DATABASE_URL=database["compute"],
            ACTIUM_WORLD_NAME=world.name,
            ACTIUM_WORLD_KIND=world.choices.kind,
            ACTIUM_AMPHORA_DRIVER="" if world.is_on_host else "noop",
            ACTIUM_IMAGES_FOLDER=f"{folder}/images",
            ACTIUM_AMPHORAE_FOLDER=str(world.amphorae),
            ACTIUM_AUTHORITY_FOLDER=f"{folder}/authority",
            ACTIUM_SECRETS_FOLDER=f"{folder}/secrets",
            ACTIUM_HEARTBEAT_MASTER_KEY_FILE=master_key,
            ACTIUM_RELAY_ADDRESSES=relay,
            ACTIUM_GATEWAY_BIND=gateway if world.is_on_host else "",
            ACTIUM_HOSTS=",".join(world.choices.hosts),
        ),
        _service(world, "planner"),
        _service(world, "health", ACTIUM_DATABASE_URL=database["health"], ACTIUM_HEARTBEAT_MASTER_KEY_FILE=master_key),
        _service(
            world,
            RELAY,
            module="actium_health.relay",
            ACTIUM_HEARTBEAT_MASTER_KEY_FILE=master_key,
            ACTIUM_RELAY_NAMESPACE=world.fabric_namespace,
            ACTIUM_RELAY_BIND=relay,
        ),
        _service(
            world,
            "api",
            ACTIUM_DATABASE_URL=database["api"],
            ACTIUM_LISTEN_HOST="127.0.0.1",
            ACTIUM_LISTEN_PORT=str(world.choices.ports.api),
            ACTIUM_FACADE="true",
            ACTIUM_ABSENT_SERVICES="" if world.is_on_host else RELAY,
            **_authentication(world),
        ),
    )


def _authentication(world: World) -> dict[str, str]:
    """Rules of the operator's own lie beside world.toml."""
    if world.choices.auth == "none":
        return {}
    rules = {"ACTIUM_POLICY_FILE": str(world.policy_file)} if world.policy_file.exists() else {}
    key = str(keys.operator_key(world))
    return {"ACTIUM_AUTH": "keystone", "ACTIUM_OPERATOR_KEY_FILE": key, **rules, **service_user.variables(world)}


def _service(world: World, name: str, *, module: str | None = None, **settings: str) -> Process:
    bus = {
        "ACTIUM_NATS_URL": f"nats://127.0.0.1:{world.choices.ports.nats}",
        "ACTIUM_NATS_USER": name,
        "ACTIUM_NATS_PASSWORD_FILE": str(keys.password_file(world, name)),
    }
    command = (str(BIN / "python"), "-m", module or f"actium_{name}")
    environment = _base_environment() | bus | settings
    return Process(name=name, command=command, environment=environment, patient=name not in IMPATIENT)


def _base_environment() -> dict[str, str]:
    """Little on purpose: a process of the world is the same whoever's shell called `up`."""
    inherited: Mapping[str, str] = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = os.pathsep.join((str(BIN), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/root", **inherited}
