"""The network service as a process that is killed (-9) at every boundary of its work, and started again."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actium_shared.bus import Bus
from actium_shared.commands.network import PortWish, ReleaseVip, ReserveVip, SettlePorts, SettleRoutes, VipReservation
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore
from actium_shared.events.network import PortCreated, PortDeleted, PortsSettled, RoutesSettled, VipReleased, VipReserved
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.message import Command, Event, Order, Reply
from actium_shared.testing.nats_server import NatsServer
from actium_shared.wishes import Vip
from integration.network import file_fabric

DEADLINE_S = 60.0
PUBLIC, SMALL = SubnetId("subnet-public"), SubnetId("subnet-small")
APPLIANCE = ApplianceId("appliance")
numbers = itertools.count(1)


@dataclass(slots=True)
class Process:
    """The service with its failpoints; whoever waits for something of it revives it when it is dead."""

    server: NatsServer
    folder: Path
    _process: "subprocess.Popen[bytes] | None" = None
    _log: Path = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "password").write_text(self.server.password("network"))
        self._log = self.folder / "network.log"

    @property
    def ports(self) -> set[str]:
        return {path.name for path in (self.folder / "ports").iterdir()}

    @property
    def led(self) -> list[str]:
        """What is routed anywhere."""
        files = (self.folder / "ports").glob(f"{file_fabric.VIA}*")
        return [address for file in files for address in json.loads(file.read_text())["addresses"]]

    @property
    def kill_wish(self) -> Path:
        return self.folder / "points" / "network.kill"

    @property
    def _passed(self) -> Path:
        return self.folder / "points" / "network.passed"

    def start(self) -> None:
        self._passed.unlink(missing_ok=True)
        settings = {
            "NATS_URL": self.server.url,
            "NATS_PASSWORD_FILE": self.folder / "password",
            "DATABASE_URL": f"sqlite:///{self.folder / 'network.sqlite'}",
            "FABRIC_FILE": self.folder / "ports",
            "WORLD_NAME": "test",
            "FAILPOINTS_FOLDER": self.folder / "points",
        }
        environment = os.environ | {f"ACTIUM_{name}": str(value) for name, value in settings.items()}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, file_fabric.__file__], env=environment, stderr=log)

    def revive(self) -> None:
        """Start it again if it has ended, as the supervisor does."""
        if self._process is not None and self._process.poll() is not None:
            assert self._process.returncode == -9, self._log.read_text()[-4000:]
            self.start()

    def kill_at(self, point: str, count: int) -> None:
        """Have it killed when it passes the point for the n-th time from now on."""
        passed = self._passed.read_text().split() if self._passed.exists() else []
        self.kill_wish.write_text(f"{point} {passed.count(point) + count}")

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@pytest.fixture(scope="module")
def process(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(nats_server, tmp_path_factory.mktemp("network"))
    process.start()
    yield process
    process.end()


async def ask(process: Process, bus: Bus, command: Command) -> Reply:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            process.revive()
            try:
                return await bus.ask(command, timeout_s=0.5)
            except RetryableError:
                await asyncio.sleep(0.05)


async def order(process: Process, bus: Bus, order: Order, answer: type[Event], target: str) -> list[Event]:
    """Send the order and give all events of its target when one more `answer` is on the log."""
    subjects = (f"evt.network.*.{target}",)
    before = [item async for item in JetStreamEventStore(bus).read("EVENTS_NETWORK", after=0, subjects=subjects)]
    await bus.send_order(order)
    return await answered(process, bus, subjects, answer=answer, after=len(before))


async def answered(
    process: Process, bus: Bus, subjects: tuple[str, ...], *, answer: type[Event], after: int
) -> list[Event]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            process.revive()
            commits = [
                item async for item in JetStreamEventStore(bus).read("EVENTS_NETWORK", after=0, subjects=subjects)
            ]
            if any(isinstance(event, answer) for item in commits[after:] for event in item.commit.events):
                return [event for item in commits for event in item.commit.events]
            await asyncio.sleep(0.02)


def settle(amphora_id: AmphoraId, revision: int, **ports: SubnetId | None) -> SettlePorts:
    wishes = tuple(PortWish(id=PortId(f"{amphora_id}-{name}"), subnet_id=subnet) for name, subnet in ports.items())
    return SettlePorts(amphora_id=amphora_id, appliance_id=APPLIANCE, revision=revision, ports=wishes)


@pytest.fixture
async def api(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with nats_server.bus("api") as bus:
        yield bus


@pytest.fixture
async def planner(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with nats_server.bus("planner") as bus:
        yield bus


async def ready(process: Process, bus: Bus) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            process.revive()
            try:
                if (await bus.ask_status("network", timeout_s=0.2)).get("serving"):
                    return
            except RetryableError:
                await asyncio.sleep(0.05)


async def killed_and_back(process: Process, bus: Bus) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while process.kill_wish.exists():  # the log may tell of its last act before it is dead
            await asyncio.sleep(0.01)
    await ready(process, bus)


def reserve() -> ReserveVip:
    return ReserveVip(
        load_balancer_id=LoadBalancerId(f"lb-{next(numbers)}"), project_id=ProjectId("project"), subnet_id=PUBLIC
    )


async def story(bus: Bus, aggregate: str, target: str) -> list[type[Event]]:
    subjects = (f"evt.network.{aggregate}.{target}",)
    commits = JetStreamEventStore(bus).read("EVENTS_NETWORK", after=0, subjects=subjects)
    return [type(event) async for item in commits for event in item.commit.events]


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("table.before", 1),  # the promise
        ("table.after", 1),
        ("append.vip.reserved.before", 1),
        ("append.vip.reserved.after", 1),
        ("table.before", 2),  # the projection
        ("reply.vip.reserve.before", 1),
    ],
)
async def test_a_vip_is_reserved_once(process: Process, api: Bus, point: str, count: int) -> None:
    await ready(process, api)
    process.kill_at(point, count)
    command = reserve()
    first = await ask(process, api, command)
    await killed_and_back(process, api)
    assert isinstance(first, VipReservation)
    assert await ask(process, api, command) == first
    other = await ask(process, api, reserve())
    assert isinstance(other, VipReservation)
    assert other.vip.address != first.vip.address
    assert await story(api, "vip", command.load_balancer_id) == [VipReserved]


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("table.before", 1),  # the release is kept
        ("append.vip.released.before", 1),
        ("append.vip.released.after", 1),
        ("table.before", 2),  # the projection
    ],
)
async def test_a_vip_is_released_once(process: Process, api: Bus, planner: Bus, point: str, count: int) -> None:
    await ready(process, api)
    command = reserve()
    await ask(process, api, command)
    process.kill_at(point, count)
    release = ReleaseVip(load_balancer_id=command.load_balancer_id)
    await order(process, planner, release, VipReleased, command.load_balancer_id)
    await killed_and_back(process, api)
    assert await story(api, "vip", command.load_balancer_id) == [VipReserved, VipReleased]


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("table.before", 2),  # the addresses are promised
        ("table.after", 2),
        ("driver.create_port.before", 1),
        ("driver.create_port.after", 1),
        ("driver.create_port.before", 2),
        ("driver.create_port.after", 2),
        ("append.port.settled.before", 1),
        ("append.port.settled.after", 1),
        ("table.before", 3),  # the projection
    ],
)
async def test_ports_are_made_and_told_once(process: Process, api: Bus, planner: Bus, point: str, count: int) -> None:
    await ready(process, api)
    process.kill_at(point, count)
    amphora = AmphoraId(f"am-{next(numbers)}")
    await order(process, planner, settle(amphora, 1, mgmt=None, front=PUBLIC), PortsSettled, amphora)
    await killed_and_back(process, api)
    assert await story(api, "port", amphora) == [PortCreated, PortCreated, PortsSettled]
    assert {port for port in process.ports if port.startswith(f"{amphora}-")} == {f"{amphora}-mgmt", f"{amphora}-front"}


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("driver.create_port.after", 1),
        ("driver.delete_port.before", 1),
        ("driver.delete_port.after", 1),
        ("append.port.settled.before", 1),
        ("append.port.settled.after", 1),
    ],
)
async def test_ports_are_exchanged_once(process: Process, api: Bus, planner: Bus, point: str, count: int) -> None:
    await ready(process, api)
    amphora = AmphoraId(f"am-{next(numbers)}")
    await order(process, planner, settle(amphora, 1, mgmt=None, front=PUBLIC), PortsSettled, amphora)
    process.kill_at(point, count)
    await order(process, planner, settle(amphora, 2, mgmt=None, back=SMALL), PortsSettled, amphora)
    await killed_and_back(process, api)
    assert (await story(api, "port", amphora))[3:] == [PortCreated, PortDeleted, PortsSettled]
    assert {port for port in process.ports if port.startswith(f"{amphora}-")} == {f"{amphora}-mgmt", f"{amphora}-back"}
    await order(process, planner, settle(amphora, 3), PortsSettled, amphora)
    assert not {port for port in process.ports if port.startswith(f"{amphora}-")}


async def test_an_order_that_was_kept_and_not_acknowledged_is_answered_once(
    process: Process, api: Bus, planner: Bus
) -> None:
    await ready(process, api)
    process.kill_at("acknowledge.before", 1)
    amphora = AmphoraId(f"am-{next(numbers)}")
    await order(process, planner, settle(amphora, 1, mgmt=None), PortsSettled, amphora)
    await killed_and_back(process, api)
    assert await story(api, "port", amphora) == [PortCreated, PortsSettled]


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("table.before", 2),  # the routing address is promised
        ("table.after", 2),
        ("driver.route.before", 1),
        ("driver.route.after", 1),
        ("append.route.settled.before", 1),
        ("append.route.settled.after", 1),
        ("table.before", 3),  # the projection
    ],
)
async def test_routes_are_laid_and_taken_up_once(
    process: Process, api: Bus, planner: Bus, point: str, count: int
) -> None:
    await ready(process, api)
    for revision, vips in ((1, (routed(),)), (2, ())):
        if revision == 1:
            appliance = ApplianceId(f"ap-{next(numbers)}")
        process.kill_at(point, count)
        wish = SettleRoutes(appliance_id=appliance, revision=revision, vips=vips)
        await order(process, planner, wish, RoutesSettled, appliance)
        if point.startswith("table") and not vips:
            process.kill_wish.unlink(missing_ok=True)  # nothing is promised where all is given back
        await killed_and_back(process, api)
        assert len(process.led) == len(vips)
    assert await story(api, "route", appliance) == [RoutesSettled, RoutesSettled]


def routed() -> Vip:
    return Vip(
        address="203.0.113.240",
        prefix_length=24,
        port_id=PortId("routed"),
        subnet_id=PUBLIC,
        network_id=NetworkId("network-public"),
    )
