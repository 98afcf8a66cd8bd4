"""Settings of compute; `ACTIUM_WORLD_NAME` fills `world_name`, and so on."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actium_shared.embedded import fabric_namespace
from actium_shared.errors import SettingsError
from actium_shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeSettings(Settings):
    """`relay_addresses` are ip:port as amphorae reach them; `fabric_namespace` empty is the world's usual one."""

    database_url: str
    world_name: str
    images_folder: Path
    amphorae_folder: Path
    authority_folder: Path
    secrets_folder: Path
    heartbeat_master_key_file: Path
    relay_addresses: tuple[str, ...]
    fabric_namespace: str = ""
    heartbeat_interval_s: float = 1.0
    hosts: tuple[str, ...] = ("host-1", "host-2", "host-3")
    amphora_driver: str = "haproxy"
    world_kind: Literal["embedded", "noop"] = "embedded"

    @property
    def fabric(self) -> str:
        """The namespace in which agents are reached."""
        return self.fabric_namespace or fabric_namespace(self.world_name)

    @property
    def relays(self) -> tuple[tuple[str, int], ...]:
        """
        Where amphorae send their beats.

        Raises:
            SettingsError: one is not ip:port.
        """
        return tuple(_endpoint(text) for text in self.relay_addresses)


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(address)
    except ValueError as exc:
        raise SettingsError(f"setting ACTIUM_RELAY_ADDRESSES: {text!r} is not ip:port") from exc
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise SettingsError(f"setting ACTIUM_RELAY_ADDRESSES: {text!r} has no port between 1 and 65535")
    return address, int(port)
