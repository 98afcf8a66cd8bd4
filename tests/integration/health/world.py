"""A bus, a health service and a relay in this process, and the others' parts played by hand."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from actium_health.keys import KeyRing
from actium_health.main import assemble
from actium_health.migrations import upgrade
from actium_health.read_model import tables
from actium_health.relay import Relay
from actium_health.settings import HealthSettings, RelaySettings
from actium_shared import statistics, streams
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.event_store import JetStreamEventStore, Recorded, commit_envelope
from actium_shared.events.health import OperatingStatusChanged
from actium_shared.message import Commit, Event, Position, WorkCause
from actium_shared.read_model import Database
from actium_shared.service import Service
from actium_shared.statistics import LoadBalancerStatistics
from actium_shared.testing.nats_server import NatsServer
from builders import an_id
from unit.health.given import MASTER_KEY, NOW, planner_events

DEADLINE_S = 15.0


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when it holds; what happens in other processes cannot be awaited otherwise."""
    deadline = time.monotonic() + DEADLINE_S
    while not await holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


class World:
    """Entered with `async with`; what it starts ends with it."""

    def __init__(self, server: NatsServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.port = 0
        self.ports: list[int] = []
        self._stack = AsyncExitStack()
        self._last: dict[str, int] = {}
        self._buses: dict[str, Bus] = {}

    async def __aenter__(self) -> Self:
        for user in ("api", "planner", "compute", "relay"):
            self._buses[user] = await self._stack.enter_async_context(self.server.bus(user))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def append(self, owner: str, aggregate: str, about: str, *events: Event) -> Position:
        """Append as the owner does."""
        subject = streams.event_subject(owner, aggregate, about)
        commit = Commit(
            id=an_id(f"{events!r}{self._last}"), events=events, cause=WorkCause(order_id="test"), decided_at=NOW
        )
        envelope = commit_envelope(commit, source=owner, correlation_id="test")
        store = JetStreamEventStore(self._buses[owner])
        position = await store.append(subject, commit, expected=self._last.get(subject, 0), envelope=envelope)
        self._last[subject] = position.sequence
        return position

    async def placed(self) -> None:
        """A load balancer with everything, on an appliance with one amphora."""
        for aggregate, about, events in planner_events():
            await self.append("planner", aggregate, about, *events)

    async def signal(self, *datagrams: bytes, kind: str = "beats", relay: str = "by-hand") -> None:
        """Publish as a relay does."""
        await self._buses["relay"].publish(f"sig.{kind}.{relay}", msgspec.msgpack.encode(datagrams))

    def rows(self, database: str) -> dict[str, list[tuple[Any, ...]]]:
        """All rows that the log can rebuild."""
        opened = Database(f"sqlite:///{self.folder / database}.sqlite")
        with opened.engine.connect() as connection:
            rebuilt = (table for table in tables.METADATA.sorted_tables if table.name != "totals")
            found = {table.name: sorted(map(tuple, connection.execute(sa.select(table)))) for table in rebuilt}
        opened.close()
        return found

    @asynccontextmanager
    async def health(self, database: str = "health", **fields: Any) -> AsyncIterator[Service]:
        """A health service; killed, not stopped, at the end."""
        settings = HealthSettings(heartbeat_master_key_file=Path("unused"), database_url="unused", **fields)
        opened = Database(f"sqlite:///{self.folder / database}.sqlite")
        upgrade(opened.engine)
        async with self.server.bus("health") as bus:
            service = await assemble(bus, opened, KeyRing(MASTER_KEY), settings)
            async with _running(service):
                yield service
        opened.close()

    @asynccontextmanager
    async def relay(self, **fields: Any) -> AsyncIterator[Service]:
        """A relay on a free loopback port, which `send` sends to."""
        self.port = _free_port()
        self.ports.append(self.port)
        defaults = {"relay_bind": f"127.0.0.1:{self.port}"}
        settings = RelaySettings(heartbeat_master_key_file=Path("unused"), **(defaults | fields))
        async with self.server.bus("relay") as bus:
            service = Service("relay", bus)
            relay = Relay(bus, KeyRing(MASTER_KEY), settings, clock=SystemClock())
            for run in (relay.receive, relay.forward, relay.keep_stream):
                service.loop(run.__name__, run)
            service.fact(relay.facts)
            async with _running(service):
                yield service

    def send(self, datagram: bytes) -> None:
        self._send(datagram, self.port)

    def send_to_all_relays(self, datagram: bytes) -> None:
        """As an amphora does, which does not know who of them lives."""
        for port in self.ports:
            self._send(datagram, port)

    def _send(self, datagram: bytes, port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, ("127.0.0.1", port))

    async def said(self) -> list[Recorded]:
        """What health has recorded."""
        store = JetStreamEventStore(self._buses["api"])
        return [item async for item in store.read("EVENTS_HEALTH", after=0)]

    async def statuses(self) -> list[dict[str, str]]:
        """Per commit of health, kind -> status."""
        return [
            {change.kind: change.operating_status for change in event.changes}
            for item in await self.said()
            for event in item.commit.events
            if isinstance(event, OperatingStatusChanged)
        ]

    async def wait_for_commits(self, count: int) -> list[dict[str, str]]:
        async def enough() -> bool:
            return len(await self.said()) >= count

        await until(enough)
        return await self.statuses()

    async def published(self) -> list[LoadBalancerStatistics]:
        """All statistics so far."""
        feed = self._buses["api"].feed("STATISTICS", after=0, until_end=True)
        return [statistics.decode(delivery.body) async for delivery in feed]


async def wait_for_count(service: Service, group: str, reason: str, count: int) -> None:
    """Wait until the service's own status shows it."""

    async def shown() -> bool:
        counts: Any = service.status()[group]
        return bool(counts[reason] >= count)

    await until(shown)


@asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    task = asyncio.create_task(service.run())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
