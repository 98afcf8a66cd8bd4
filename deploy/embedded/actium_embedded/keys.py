"""The world's secrets: made once at the first `up`, each in a file of its own that only root may read."""

import secrets
from pathlib import Path

from actium_embedded.files import write_atomically
from actium_embedded.world import World
from actium_shared.streams import SERVICES

PASSWORD_BYTES = 24
MASTER_KEY_BYTES = 32
OPERATOR_KEY_BYTES = 32


def make(world: World) -> None:
    """Make whichever secret is missing; what exists is kept, since data is encrypted and signed with it."""
    for service in SERVICES:
        _make(password_file(world, service), secrets.token_urlsafe(PASSWORD_BYTES).encode())
    _make(heartbeat_master_key(world), secrets.token_bytes(MASTER_KEY_BYTES))
    _make(operator_key(world), secrets.token_urlsafe(OPERATOR_KEY_BYTES).encode())


def password_file(world: World, service: str) -> Path:
    return world.secrets / f"nats-{service}.password"


def heartbeat_master_key(world: World) -> Path:
    return world.secrets / "heartbeat-master.key"


def operator_key(world: World) -> Path:
    """Whoever can read it may use the operator API where others need a token."""
    return world.secrets / "operator.key"


def _make(path: Path, content: bytes) -> None:
    if not path.exists():
        write_atomically(path, content, mode=0o600)
