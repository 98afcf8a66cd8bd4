"""The table of the world's processes: what each is started with. In step with the services' own settings.py."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from actium_embedded import keys, nats_config
from actium_embedded.world import World

BIN = Path(sys.executable).parent
NATS_SERVER = "nats-server"

RELAY_PORT = 5555
"""UDP, inside the fabric's namespace, so no other world can hold it."""


PASSED_ON = ("TMPDIR", "TZ", "ACTIUM_FAILPOINTS_FOLDER")
"""From the environment of `up`; the last is for tests that kill services at chosen points."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process that the supervisor keeps alive."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


def table(world: World) -> tuple[Process, ...]:
    """In the order of starting."""
    folder = str(world.data)
    database = {name: f"sqlite:///{world.data / name}.sqlite" for name in ("api", "network", "compute", "health")}
    master_key = str(keys.heartbeat_master_key(world))
    relay = f"{world.network_with_role('management').controller}:{RELAY_PORT}"
    return (
        Process(
            name=NATS_SERVER,
            command=(str(BIN / "nats-server"), "--config", str(nats_config.config_file(world))),
            environment=_base_environment(),
        ),
        _service(
            world,
            "network",
            ACTIUM_DATABASE_URL=database["network"],
            ACTIUM_FABRIC_FILE=str(world.fabric_file),
            ACTIUM_WORLD_NAME=world.name,
        ),
        _service(
            world,
            "compute",
            ACTIUM_DATABASE_URL=database["compute"],
            ACTIUM_WORLD_NAME=world.name,
            ACTIUM_IMAGES_FOLDER=f"{folder}/images",
            ACTIUM_AMPHORAE_FOLDER=str(world.amphorae),
            ACTIUM_AUTHORITY_FOLDER=f"{folder}/authority",
            ACTIUM_HEARTBEAT_MASTER_KEY_FILE=master_key,
            ACTIUM_RELAY_ADDRESSES=relay,
            ACTIUM_HOSTS=",".join(world.choices.hosts),
        ),
        _service(world, "planner"),
        _service(world, "health", ACTIUM_DATABASE_URL=database["health"], ACTIUM_HEARTBEAT_MASTER_KEY_FILE=master_key),
        _service(
            world,
            "relay",
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
        ),
    )


def _service(world: World, name: str, *, module: str | None = None, **settings: str) -> Process:
    bus = {
        "ACTIUM_NATS_URL": f"nats://127.0.0.1:{world.choices.ports.nats}",
        "ACTIUM_NATS_USER": name,
        "ACTIUM_NATS_PASSWORD_FILE": str(keys.password_file(world, name)),
    }
    command = (str(BIN / "python"), "-m", module or f"actium_{name}")
    return Process(name=name, command=command, environment=_base_environment() | bus | settings)


def _base_environment() -> dict[str, str]:
    """Little on purpose: a process of the world is the same whoever's shell called `up`."""
    passed_on: Mapping[str, str] = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = os.pathsep.join((str(BIN), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/root", **passed_on}
