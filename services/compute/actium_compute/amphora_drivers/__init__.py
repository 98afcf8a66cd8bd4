"""
What an amphora driver is: it turns a wish into the bundle that an agent understands. Pure; no driver does IO.

Drivers are entry points of the group `actium.amphora_drivers`; each order names its own.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Protocol

from actium_compute.amphora_drivers.bundle import Bundle, Logs
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.errors import PermanentError
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SecretRef

GROUP = "actium.amphora_drivers"


class DriverError(PermanentError):
    """The driver that an order names is not to be had here; the message names it and is meant for people."""


class RenderError(PermanentError):
    """The wish cannot be expressed; the message names the field and is meant for people."""


class AmphoraDriver(Protocol):
    """One way to balance load inside an amphora."""

    def secrets_of(self, order: ConfigureAmphora) -> frozenset[SecretRef]:
        """Give the references that `render` will want to know the secrets of."""
        ...

    def render(
        self,
        order: ConfigureAmphora,
        ports: Mapping[PortId, Port],
        secrets: Mapping[SecretRef, Secret],
        *,
        logs: Logs | None = None,
    ) -> Bundle:
        """
        Give the whole configuration; equal wishes on equal ports with equal secrets and logs give equal digests.

        `logs` says which load balancers' traffic is told of, and where to; a driver that tells of none leaves it out.

        Raises:
            RenderError: it cannot be expressed, or a secret is missing or of another kind.
        """
        ...

    def runtime_commands(
        self, before: ConfigureAmphora, after: ConfigureAmphora, ports: Mapping[PortId, Port]
    ) -> tuple[str, ...] | None:
        """
        Give what leads from one wish to the other without a reload, or None where there is no such way.

        Secrets may have changed between the two: the agent sees that their files differ, and reloads.
        """
        ...


def load_driver(name: str) -> AmphoraDriver:
    """
    Give the driver that is installed under this name.

    Raises:
        DriverError: there is none, or it cannot be loaded.
    """
    found = entry_points(group=GROUP)
    if name not in found.names:
        raise DriverError(f"no amphora driver {name!r} is installed; known are {', '.join(sorted(found.names))}")
    try:
        driver: AmphoraDriver = found[name].load()()
    except (ImportError, AttributeError, TypeError) as exc:
        raise DriverError(f"amphora driver {name!r} cannot be loaded: {exc}") from exc
    return driver


class Drivers:
    """All drivers that orders name, each loaded when it is named first."""

    def __init__(self, only: str = "") -> None:
        """Have one of them speak for all, whatever orders name: in worlds where amphorae are no real ones."""
        self._only = only
        self._loaded: dict[str, AmphoraDriver] = {}

    def of(self, name: str) -> AmphoraDriver:
        """
        Give the driver.

        Raises:
            DriverError: as `load_driver`.
        """
        name = self._only or name
        if name not in self._loaded:
            self._loaded[name] = load_driver(name)
        return self._loaded[name]
