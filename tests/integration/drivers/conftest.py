"""A site with a vendor's driver beside our own: installed as a package is, found by its entry point."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import httpx
import pytest
from octavia_lib.api.drivers.driver_lib import DriverLibrary

from actium_health.keys import KeyRing
from actium_health.main import assemble
from actium_health.migrations import upgrade
from actium_health.settings import HealthSettings
from actium_shared import tasks
from actium_shared.read_model import Database
from actium_shared.testing.nats_server import NatsServer
from integration.api import world
from integration.api.world import World

T = TypeVar("T")
PROVIDERS = ("acme:Appliances by Acme.", "ports:Makes ports.", "absent:Not installed.", "wreck:Cannot be loaded.")
DRIVER_TIMEOUT_S = 1.0
ENTRY_POINTS = """[octavia.api.drivers]
acme = acme_driver:AcmeDriver
ports = acme_driver:PortDriver
wreck = acme_driver:NoSuchDriver
"""


@dataclass
class Site:
    world: World
    acme: ModuleType
    sockets: Path

    @property
    def client(self) -> httpx.AsyncClient:
        return self.world.client

    async def driver(self, call: Callable[[DriverLibrary], T]) -> T:
        """Do what a driver does: by octavia-lib's own client, in a thread, as it blocks."""

        def inside() -> T:
            paths = (str(self.sockets / name) for name in ("status.sock", "stats.sock", "get.sock"))
            return call(DriverLibrary(*paths))

        return await asyncio.to_thread(inside)

    async def report(self, **records: Any) -> None:
        await self.driver(lambda library: library.update_loadbalancer_status(records))

    def asked(self, method: str) -> list[Any]:
        """Give the arguments of every call of one method."""
        return [arguments for name, arguments in self.acme.CALLS if name == method]

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(world.DEADLINE_S):
            while not await holds():
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Install the vendor's package where Python looks for packages."""
    folder = tmp_path_factory.mktemp("vendor")
    (folder / "acme_driver.py").write_text((Path(__file__).parent / "acme.py").read_text())
    info = folder / "acme_driver-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-driver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    sys.path.insert(0, str(folder))
    try:
        yield __import__("acme_driver")
    finally:
        sys.path.remove(str(folder))
        del sys.modules["acme_driver"]


@pytest.fixture
async def site(nats_server: NatsServer, tmp_path: Path, acme: ModuleType) -> AsyncIterator[Site]:
    acme.CALLS.clear()
    sockets = tmp_path / "sockets"
    acme.SOCKETS = str(sockets)  # type: ignore[attr-defined]
    settings: dict[str, Any] = {
        "enabled_provider_drivers": PROVIDERS,
        "driver_timeout_s": DRIVER_TIMEOUT_S,
        "driver_agent_folder": sockets,
    }
    database = Database(f"sqlite:///{tmp_path}/health.sqlite")
    upgrade(database.engine)
    async with nats_server.bus("health") as bus:
        health = await assemble(
            bus,
            database,
            KeyRing(b"k" * 32),
            HealthSettings(heartbeat_master_key_file=Path("unused"), database_url="unused"),
        )
        running = asyncio.create_task(health.run())
        planner = {"enabled_provider_drivers": PROVIDERS}
        async with world.running(nats_server, tmp_path, planner=planner, **settings) as made:
            yield Site(world=made, acme=acme, sockets=sockets)
        await tasks.end([running])
    database.close()
