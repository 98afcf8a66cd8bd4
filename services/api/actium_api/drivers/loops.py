"""What runs in the background for other vendors' drivers, where there are any or where they may report."""

import asyncio
from collections.abc import Awaitable, Callable

from actium_api.asks import Asks
from actium_api.drivers.host import Drivers
from actium_api.settings import ApiSettings
from actium_shared.clock import Clock
from actium_shared.errors import SettingsError
from actium_shared.read_model import Database
from actium_shared.service import Service


def attach(
    service: Service,
    drivers: Drivers,
    settings: ApiSettings,
    *,
    asks: Asks,
    database: Database,
    clock: Clock,
    caught_up: asyncio.Event,
) -> None:
    """
    Have the service run them.

    Raises:
        SettingsError: the sockets' mode is none.
    """
    if drivers.vendors:
        from actium_api.drivers.lapsed import Undoing

        undoing = Undoing(drivers, asks=asks, database=database, clock=clock)
        service.loop("lapsed proposals", lambda: undoing.run(caught_up))
    if settings.driver_agent_folder is not None:
        from actium_api.drivers.agent import DriverAgent

        mode = _mode(settings.driver_agent_mode)
        agent = DriverAgent(asks, database, folder=settings.driver_agent_folder, mode=mode)
        service.loop("driver agent", lambda: _after(caught_up, agent.run))


async def _after(caught_up: asyncio.Event, run: Callable[[], Awaitable[None]]) -> None:
    await caught_up.wait()  # what a driver tells of must be known, or its last word would be refused or dropped
    await run()


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError as exc:
        raise SettingsError(f"setting ACTIUM_DRIVER_AGENT_MODE must be octal, such as 0660, and is {text!r}") from exc
