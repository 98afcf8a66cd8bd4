"""Settings of the network service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actium_shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings(Settings):
    """
    `vip_lapse_s`: an address that no load balancer came for is given back after it.

    It has to exceed the time between the two asks that make a load balancer (20 s each, 15 s of append in the last).
    `stray_grace_s`: so long a port or a route that nobody ordered is left alone.
    """

    database_url: str
    fabric_file: Path
    world_name: str
    world_kind: Literal["embedded", "noop"] = "embedded"
    noop_file: Path | None = None
    """Where a noop world remembers what somebody named in it; beside the fabric file unless said otherwise."""

    vip_lapse_s: float = 60.0
    vip_lapse_check_s: float = 5.0
    port_timeout_s: float = 10.0
    port_tries: int = 5
    stray_grace_s: float = 60.0
    stray_check_s: float = 30.0
    """A look lists all links and routes of the world: some ten milliseconds."""
