"""Renders the configuration of the world's nats-server. Who may say what comes from the table of streams."""

import json
from pathlib import Path
from typing import Any

from actium_embedded.files import write_atomically
from actium_embedded.keys import password_file
from actium_embedded.world import World
from actium_shared.streams import MAX_PAYLOAD_BYTES, SERVICES, permissions

MEMORY_STORE_BYTES = 512 * 1024 * 1024


def config_file(world: World) -> Path:
    """Among the secrets, since it holds every service's password."""
    return world.secrets / "nats-server.json"


def write(world: World) -> None:
    write_atomically(config_file(world), json.dumps(render(world), indent=2).encode(), mode=0o600)


def render(world: World) -> dict[str, Any]:
    """The server's language is a superset of JSON."""
    ports = world.choices.ports
    return {
        "server_name": world.name,
        "listen": f"127.0.0.1:{ports.nats}",
        "http": f"127.0.0.1:{ports.nats_monitoring}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(world.data / "nats"),
            # One server has no replica to recover from: what is acknowledged must be on the disk.
            "sync_interval": "always",
            "max_memory_store": MEMORY_STORE_BYTES,
        },
        "authorization": {"users": [_user(world, service) for service in SERVICES]},
    }


def _user(world: World, service: str) -> dict[str, Any]:
    return {
        "user": service,
        "password": password_file(world, service).read_text(),
        "permissions": permissions(service),
    }
