"""Settings of the health service and of its second entry point, the relay."""

from dataclasses import dataclass
from pathlib import Path

from actium_shared.errors import SettingsError
from actium_shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings(Settings):
    heartbeat_master_key_file: Path
    database_url: str
    beat_age_most_s: float = 30.0
    """An older datagram is refused. Below the 60 s that SIGNALS keeps, or a replay could outlive what it repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings(Settings):
    heartbeat_master_key_file: Path
    relay_bind: str = "10.250.0.1:5555"
    relay_namespace: str = ""
    """Name of the network namespace that the socket is opened in; empty is the process's own."""
    relay_name: str = "relay"

    def bind_address(self) -> tuple[str, int]:
        """
        Give address and port of `relay_bind`.

        Raises:
            SettingsError: it is not of the form `address:port`.
        """
        host, _, port = self.relay_bind.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise SettingsError(f"setting ACTIUM_RELAY_BIND: {self.relay_bind!r} is not address:port")
        return host.strip("[]"), int(port)
