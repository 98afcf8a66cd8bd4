"""Settings of the health service and of its second entry point, the relay."""

from dataclasses import dataclass
from pathlib import Path

from actium_health.liveness import Limits
from actium_health.storm import Quota
from actium_shared.errors import SettingsError
from actium_shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings(Settings):
    heartbeat_master_key_file: Path
    database_url: str
    beat_age_most_s: float = 30.0
    """An older datagram is refused. Below the 60 s that SIGNALS keeps, or a replay could outlive what it repeats."""

    silent_most_s: float = 3.0
    """An amphora that is silent for longer, and that compute does not reach either, is lost."""
    probe_ahead_s: float = 1.0
    """So long before that limit compute is asked, and so long it has to find an answer."""
    spare_silent_most_s: float = 60.0
    """The same limit for spares, which nobody's traffic depends on."""
    farewell_silent_most_s: float = 1.0
    """The same limit after an amphora has said that it ends."""
    witness_grace_s: float | None = None
    """So long after the limit a verdict waits for a compute that does not answer; twice the limit unless set."""
    mute_most_s: float = 60.0
    """An amphora that answers and does not beat for longer is logged; it is left alone."""
    sweep_every_s: float = 0.2
    probes_most: int = 32
    """Under way at once."""

    many_floor: int = 5
    many_share: float = 0.5
    """More than so many at once, and more than this share of all: then nobody is judged before all were asked about."""
    losses_limited: bool = True
    losses_floor: int = 10
    losses_share: float = 0.1
    """At most so many verdicts a minute, or this share of all amphorae, whichever is more."""
    host_losses_floor: int = 10
    host_losses_share: float = 0.5
    """The same for one failure domain."""

    def limits(self) -> Limits:
        """
        Give what liveness is judged by.

        Raises:
            SettingsError: a limit leaves no time for what has to happen before it.
        """
        if not 0 < self.probe_ahead_s < min(self.silent_most_s, self.spare_silent_most_s):
            raise SettingsError(
                f"setting ACTIUM_PROBE_AHEAD_S: {self.probe_ahead_s} must be above 0 and below both ACTIUM_SILENT_MOST_S"
                " and ACTIUM_SPARE_SILENT_MOST_S"
            )
        if not 0 < self.farewell_silent_most_s <= self.silent_most_s:
            raise SettingsError(
                f"setting ACTIUM_FAREWELL_SILENT_MOST_S: {self.farewell_silent_most_s} must be above 0 and at most"
                " ACTIUM_SILENT_MOST_S"
            )
        return Limits(
            silent_most_s=self.silent_most_s,
            spare_silent_most_s=self.spare_silent_most_s,
            farewell_silent_most_s=self.farewell_silent_most_s,
            ahead_s=self.probe_ahead_s,
            grace_s=2 * self.silent_most_s if self.witness_grace_s is None else self.witness_grace_s,
            mute_most_s=self.mute_most_s,
            many_floor=self.many_floor,
            many_share=self.many_share,
            limited=self.losses_limited,
            overall=Quota(floor=self.losses_floor, share=self.losses_share),
            per_host=Quota(floor=self.host_losses_floor, share=self.host_losses_share),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings(Settings):
    heartbeat_master_key_file: Path
    relay_bind: str = "10.250.0.1:5555"
    relay_namespace: str = ""
    """Name of the network namespace that the socket is opened in; empty is the process's own."""
    relay_name: str = "relay"
    """Of several relays each needs its own."""
    sign_every_s: float = 0.5
    """A relay that has nothing to pass on says so this often. Below half of health's `silent_most_s`, with room."""

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
