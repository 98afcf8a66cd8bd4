"""Compute in this process, on a real nats-server, with agents on loopback addresses; and the others as it knows them."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from actium_compute.adapters.management import PlainManagementNetwork
from actium_compute.authority import open_authority
from actium_compute.main import serve
from actium_compute.ports import ManagementNetwork
from actium_compute.settings import ComputeSettings
from actium_shared import streams, tasks
from actium_shared.bus import Bus
from actium_shared.clock import Clock, SystemClock
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.event_store import JetStreamEventStore, Recorded, commit_envelope
from actium_shared.events.network import Port, PortCreated, PortDeleted
from actium_shared.ids import AmphoraId, ApplianceId, NetworkId, PortId, RandomIds, SubnetId
from actium_shared.message import ClockCause, Commit, Event, Order
from actium_shared.testing.nats_server import NatsServer
from actium_shared.wishes import LoadBalancerWish, Member, PoolWish
from builders import PUBLIC, TENANT, an_id, listener, load_balancer, member, pool
from integration.compute.loopback import LoopbackMachines

DEADLINE_S = 20.0
IN_USE_S = 30 * 86_400.0 - 1
"""So long before its end a certificate is a second old."""

_numbers = itertools.count(1)


class Amphora:
    """The orders for one amphora, and the ports that it needs."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.id = AmphoraId(an_id(f"amphora-{number}"))
        self.appliance_id = ApplianceId(an_id(f"appliance-{number}"))
        self.address = f"127.77.{number // 250}.{number % 250 + 1}"
        self.management = self._port("management", "management", self.address)
        self.vip = self._port("vip", PUBLIC, "203.0.113.101")
        self.tenant = self._port("tenant", TENANT, "10.1.0.5")

    def _port(self, name: str, subnet: str, address: str) -> Port:
        port_id = an_id(f"{self.id}/{name}")
        return Port(
            id=PortId(port_id),
            network_id=NetworkId(an_id(f"network of {subnet}")),
            subnet_id=SubnetId(subnet),
            address=address,
            prefix_length=24,
            mac=f"fa:16:3e:00:00:{len(name):02x}",
            mtu=1500,
        )

    def boot(self, *, deadline_s: float = 30.0) -> BootAmphora:
        return BootAmphora(
            amphora_id=self.id,
            appliance_id=self.appliance_id,
            image_tag="default",
            management_port_id=self.management.id,
            vip_port_id=self.vip.id,
            deadline_s=deadline_s,
        )

    def configure(self, bundle: int, *members: Member, with_tenant: bool = False) -> ConfigureAmphora:
        the_pool = pool()
        wish = LoadBalancerWish(
            generation=bundle,
            load_balancer=load_balancer(),
            listeners=(listener(default_pool_id=the_pool.id),),
            pools=(PoolWish(pool=the_pool, members=members or (member(weight=bundle),)),),
        )
        return ConfigureAmphora(
            amphora_id=self.id,
            appliance_id=self.appliance_id,
            bundle=bundle,
            epoch=1,
            role="STANDALONE",
            vip_port_id=self.vip.id,
            load_balancers=(wish,),
            member_ports={TENANT: self.tenant.id} if with_tenant else {},
        )

    def boot_as_spare(self, pool_id: str) -> BootAmphora:
        """Its management port alone, for a pool."""
        return msgspec.structs.replace(self.boot(), appliance_id=ApplianceId(pool_id), vip_port_id=None)

    def fence(self) -> FenceAmphora:
        return FenceAmphora(amphora_id=self.id, appliance_id=self.appliance_id)

    def delete(self) -> DeleteAmphora:
        return DeleteAmphora(amphora_id=self.id, appliance_id=self.appliance_id)


class Bench:
    """Compute under test, and the planner and the network as it knows them."""

    def __init__(self, server: NatsServer, folder: Path, stack: AsyncExitStack) -> None:
        self.server = server
        self.folder = folder
        self.machines: Any = LoopbackMachines()
        self.changed_settings: dict[str, Any] = {}
        self.clock: Clock = SystemClock()
        self.management: ManagementNetwork = PlainManagementNetwork()
        self.planner: Bus
        self._network: Bus
        self._stack = stack
        self._running: asyncio.Task[None] | None = None
        self._port_sequences: dict[str, int] = {}

    def settings(self) -> ComputeSettings:
        master_key = self.folder / "master.key"
        master_key.write_bytes(bytes(32))
        return ComputeSettings(
            database_url=f"sqlite:///{self.folder / 'compute.sqlite'}",
            world_name="test",
            images_folder=self.folder,
            amphorae_folder=self.folder,
            authority_folder=self.folder / "authority",
            secrets_folder=self.folder / "secrets",
            heartbeat_master_key_file=master_key,
            relay_addresses=("127.0.0.1:5555",),
            **self.changed_settings,
        )

    async def connect(self) -> None:
        self.planner = await self._stack.enter_async_context(self.server.bus("planner"))
        self._network = await self._stack.enter_async_context(self.server.bus("network"))

    async def start(self) -> None:
        """Start it and return when it is on the bus: a client that is stopped while it connects never ends."""
        connected = asyncio.Event()
        self._running = asyncio.create_task(self._serve(connected))
        async with asyncio.timeout(DEADLINE_S):
            await connected.wait()

    async def stop(self) -> None:
        """End it without any of the courtesies of a shutdown."""
        running, self._running = self._running, None
        if running is not None:
            await tasks.end([running])
            if not running.cancelled():
                running.result()

    async def _serve(self, connected: asyncio.Event) -> None:
        async with self.server.bus("compute") as bus:
            connected.set()
            await serve(bus, self.settings(), self.machines, self.management, clock=self.clock)

    async def order(self, *orders: Order) -> None:
        for order in orders:
            await self.planner.send_order(order)

    async def ports(self, amphora: Amphora, *ports: Port) -> None:
        """The network service makes ports: by default the two that every amphora has."""
        for port in ports or (amphora.management, amphora.vip):
            await self._tell(amphora, PortCreated(amphora_id=amphora.id, appliance_id=amphora.appliance_id, port=port))

    async def port_deleted(self, amphora: Amphora, port: Port) -> None:
        await self._tell(
            amphora, PortDeleted(amphora_id=amphora.id, appliance_id=amphora.appliance_id, port_id=port.id)
        )

    async def _tell(self, amphora: Amphora, event: Event) -> None:
        now = SystemClock().now()
        commit = Commit(id=RandomIds().new(), events=(event,), cause=ClockCause(deadline=now), decided_at=now)
        envelope = commit_envelope(commit, source="network", correlation_id="test")
        position = await JetStreamEventStore(self._network).append(
            streams.event_subject("network", "port", amphora.id),
            commit,
            expected=self._port_sequences.get(amphora.id, 0),
            envelope=envelope,
        )
        self._port_sequences[amphora.id] = position.sequence

    async def commits(self, amphora: Amphora) -> list[Recorded]:
        """Everything on the log about the amphora."""
        store = JetStreamEventStore(self.planner)
        subject = streams.event_subject("compute", "amphora", amphora.id)
        return [item async for item in store.read("EVENTS_COMPUTE", after=0, subjects=(subject,))]

    async def events(self, amphora: Amphora) -> list[Any]:
        return [event for item in await self.commits(amphora) for event in item.commit.events]

    async def types(self, amphora: Amphora) -> list[str]:
        return [event.TYPE.removeprefix("amphora.") for event in await self.events(amphora)]

    async def until_types(self, amphora: Amphora, *wanted: str) -> None:
        """Wait until exactly these events are on the log."""
        await until(lambda: self.types(amphora), lambda types: types == list(wanted))

    async def serving(self, amphora: Amphora) -> None:
        """Bring an amphora to where it serves its first bundle."""
        await self.ports(amphora)
        await self.order(amphora.boot(), amphora.configure(1))
        await self.until_types(amphora, "booted", "configured")


async def until(read: Callable[[], Any], is_right: Callable[[Any], bool]) -> Any:
    value: Any = None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not is_right(value := await read()):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {DEADLINE_S} s; last seen: {value}") from None
    return value


def lose_the_authority(bench: Bench) -> None:
    """As if it had been made anew: whatever the old one certified was certified before this one existed."""
    folder = bench.settings().authority_folder
    (folder / "ca.pem").unlink()
    open_authority(folder, Later())


class Later(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(seconds=2)
