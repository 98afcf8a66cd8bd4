"""The network service in this process, on a real nats-server of its own, with a world of files."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actium_network.main import serve
from actium_network.settings import NetworkSettings
from actium_shared import streams, tasks
from actium_shared.bus import Bus
from actium_shared.errors import RetryableError
from actium_shared.event_store import EventStore, JetStreamEventStore, Recorded, commit_envelope
from actium_shared.ids import RandomIds
from actium_shared.message import ClockCause, Command, Commit, Event, Order, Position, Reply
from actium_shared.testing.nats_server import NatsServer
from integration.network.file_fabric import FileFabric

DEADLINE_S = 15.0


class Bench:
    """One service under test, and the others as it knows them: who asks, who orders, who tells of load balancers."""

    def __init__(self, server: NatsServer, folder: Path, stack: AsyncExitStack) -> None:
        self.server = server
        self.folder = folder
        self.fabric = FileFabric(folder / "ports")
        self.lapse_s = 60.0
        self.stray_grace_s = 60.0
        self.store: Callable[[Bus], EventStore] = JetStreamEventStore
        self.api: Bus
        self.planner: Bus
        self._stack = stack
        self._running: asyncio.Task[None] | None = None

    @property
    def database(self) -> Path:
        return self.folder / "network.sqlite"

    def settings(self) -> NetworkSettings:
        return NetworkSettings(
            database_url=f"sqlite:///{self.database}",
            fabric_file=self.folder / "ports",
            world_name="test",
            vip_lapse_s=self.lapse_s,
            vip_lapse_check_s=0.05,
            stray_grace_s=self.stray_grace_s,
            stray_check_s=0.05,
            port_tries=3,
        )

    async def connect(self) -> None:
        self.api = await self._stack.enter_async_context(self.server.bus("api"))
        self.planner = await self._stack.enter_async_context(self.server.bus("planner"))

    async def start(self) -> None:
        """Start the service and return when it answers asks."""
        self._running = asyncio.create_task(self._serve())
        async with asyncio.timeout(DEADLINE_S):
            while not (await self._status()).get("serving"):
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End it without a word, wherever it is."""
        running, self._running = self._running, None
        if running is not None:
            await tasks.end([running])
            if not running.cancelled():
                running.result()

    async def ask(self, command: Command) -> Reply:
        return await self.api.ask(command, timeout_s=DEADLINE_S)

    async def order(self, order: Order) -> None:
        await self.planner.send_order(order)

    async def tell(self, *events: Event, load_balancer_id: str, expected: int = 0) -> Position:
        """Append as the planner does."""
        subject = streams.event_subject("planner", "loadbalancer", load_balancer_id)
        now = datetime.now(UTC)
        commit = Commit(id=RandomIds().new(), events=events, cause=ClockCause(deadline=now), decided_at=now)
        envelope = commit_envelope(commit, source="planner", correlation_id="test")
        return await JetStreamEventStore(self.planner).append(subject, commit, expected=expected, envelope=envelope)

    async def log(self, aggregate: str, aggregate_id: str = "*") -> list[Recorded]:
        """Give what the service has appended about an aggregate so far."""
        subjects = (f"evt.network.{aggregate}.{aggregate_id}",)
        store = JetStreamEventStore(self.planner)
        return [item async for item in store.read("EVENTS_NETWORK", after=0, subjects=subjects)]

    async def events(self, aggregate: str, aggregate_id: str = "*") -> list[Event]:
        return [event for item in await self.log(aggregate, aggregate_id) for event in item.commit.events]

    async def wait_for(self, wanted: Event, aggregate: str, aggregate_id: str) -> list[Event]:
        """Give all events of an aggregate as soon as one of them is `wanted`."""
        subjects = (f"evt.network.{aggregate}.{aggregate_id}",)
        async with asyncio.timeout(DEADLINE_S):
            async for item in JetStreamEventStore(self.planner).follow("EVENTS_NETWORK", after=0, subjects=subjects):
                if wanted in item.commit.events:
                    break
        return await self.events(aggregate, aggregate_id)

    async def _serve(self) -> None:
        async with self.server.bus("network") as bus:
            await serve(self.settings(), bus, driver=self.fabric, store=self.store(bus))

    async def _status(self) -> dict[str, object]:
        if self._running is not None and self._running.done():
            self._running.result()
        try:
            return await self.api.ask_status("network", timeout_s=0.2)
        except RetryableError:  # not there yet
            return {}


@pytest.fixture
async def idle_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench whose service is not started."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    async with AsyncExitStack() as stack:
        bench = Bench(server, tmp_path, stack)
        await bench.connect()
        yield bench
        await bench.stop()
    server.stop()


@pytest.fixture
async def bench(idle_bench: Bench) -> Bench:
    await idle_bench.start()
    return idle_bench
