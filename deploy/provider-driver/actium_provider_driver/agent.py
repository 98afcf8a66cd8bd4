"""The process that octavia-driver-agent starts for us: it tells Octavia what became of load balancers, until it shall end."""

import logging
from typing import Protocol

from octavia_lib.api.drivers.driver_lib import DriverLibrary
from octavia_lib.api.drivers.exceptions import DriverAgentNotFound, DriverAgentTimeout

from actium_provider_driver import settings
from actium_provider_driver.client import Client, RefusedError
from actium_provider_driver.following import Following

log = logging.getLogger(__name__)


class Exit(Protocol):
    """A multiprocessing.Event."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


def run(exit_event: Exit) -> None:
    """Follow until told to end; what cannot be reached now is tried again at the next look."""
    options = settings.of_octavia()[settings.GROUP]
    follow(
        Following(Client(settings.connection()), DriverLibrary(), refresh_s=options.refresh_s),
        exit_event,
        options.poll_s,
    )


def follow(following: Following, exit_event: Exit, poll_s: float) -> None:
    while not exit_event.is_set():
        try:
            following.look()
        except (RefusedError, DriverAgentNotFound, DriverAgentTimeout) as exc:
            log.warning("not told now: %s", exc)
        exit_event.wait(poll_s)
