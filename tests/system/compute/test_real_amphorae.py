"""Compute with all that is real: nats-server, fabric, namespaces, the agent and haproxy; planner and network are the test."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from actium_compute.adapters.images import Images
from actium_compute.adapters.management import FabricManagementNetwork
from actium_compute.authority import AMPHORA_LIFETIME
from actium_compute.main import DEFAULT_IMAGE
from actium_network.ports import PortWish
from actium_shared import embedded
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SubnetId
from actium_shared.testing.nats_server import NatsServer
from actium_shared.wishes import LoadBalancerWish, PoolWish
from builders import listener, load_balancer, member, pool, vip
from contract.ports.embedded_world import World, traces
from integration.compute.bench import Amphora, Bench, lose_the_authority, until

pytestmark = pytest.mark.root


@dataclass(slots=True)
class Scene:
    """One amphora in a world of its own, and a web server on the host that answers through it."""

    bench: Bench
    world: World
    amphora: Amphora
    vip: str
    gateway: str
    host: str
    backend_port: int

    def configure(self, bundle: int, **changes: Any) -> ConfigureAmphora:
        the_member = member(address=self.host, protocol_port=self.backend_port, **changes)
        the_pool = pool()
        wish = LoadBalancerWish(
            generation=bundle,
            load_balancer=load_balancer(vip=vip(address=self.vip, gateway=self.gateway)),
            listeners=(listener(default_pool_id=the_pool.id),),
            pools=(PoolWish(pool=the_pool, members=(the_member,)),),
        )
        return msgspec.structs.replace(self.amphora.configure(bundle), load_balancers=(wish,))

    async def answers(self) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"http://{self.vip}/", timeout=2)).status_code
            except httpx.TransportError:
                return 0

    async def make_ports(self) -> None:
        await self.plug_fabric()
        await self.bench.ports(self.amphora)

    async def plug_fabric(self) -> None:
        """What the network service does for its ports, after a loss of the machine too."""
        plan = {network.name: network for network in await self.world.fabric().networks()}
        for port, network in ((self.amphora.management, "lb-mgmt"), (self.amphora.vip, "public")):
            await self.world.fabric().create_port(
                PortWish(
                    port_id=port.id,
                    network_id=plan[network].id,
                    mac=port.mac,
                    address=port.address,
                    prefix_length=port.prefix_length,
                ),
                timeout_s=10,
            )


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    world = World.make(tmp_path)
    await world.fabric().ensure()
    Images(tmp_path / "images").build(DEFAULT_IMAGE)
    server = NatsServer(tmp_path / "nats", sync_always=True)
    server.start()
    backend = await asyncio.start_server(_answer, "0.0.0.0", 0)
    async with AsyncExitStack() as stack:
        bench = Bench(server, tmp_path, stack)
        bench.machines = world.machines()
        bench.management = FabricManagementNetwork(world.plan.namespace)
        await bench.connect()
        await bench.start()
        yield await _scene(bench, world, backend.sockets[0].getsockname()[1])
        await bench.stop()
    server.stop()
    backend.close()
    ids = [entry.name for entry in world.amphorae.iterdir()] if world.amphorae.exists() else []
    world.remove()
    assert traces(world.name, *ids) == []


async def _scene(bench: Bench, world: World, backend_port: int) -> Scene:
    public = next(network for network in await world.fabric().networks() if network.name == "public").subnets[0]
    base = public.cidr.rpartition(".")[0]
    amphora = Amphora()
    amphora.management = _placed(amphora.management, "10.250.1.7", 16)
    amphora.vip = _placed(amphora.vip, f"{base}.101", 24, gateway=public.gateway)
    return Scene(bench, world, amphora, f"{base}.50", str(public.gateway), f"{base}.2", backend_port)


def _placed(port: Port, address: str, prefix_length: int, *, gateway: str | None = None) -> Port:
    return Port(
        id=PortId(port.id),
        network_id=port.network_id,
        subnet_id=SubnetId(port.subnet_id),
        address=address,
        prefix_length=prefix_length,
        mac=embedded.mac_of(port.id),
        mtu=1500,
        gateway=gateway,
    )


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()
    writer.close()


async def test_an_amphora_serves_changes_survives_and_goes_without_a_trace(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    began_at = time.monotonic()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    print(f"orders to booted and configured: {time.monotonic() - began_at:.3f} s")
    assert await scene.answers() == 200

    await _weights_change_without_reload(scene)
    last = (await bench.events(amphora))[-1].bundle

    await bench.order(scene.configure(last + 1, weight=-5))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configuration-refused")
    print((await bench.events(amphora))[-1].reason)
    assert await scene.answers() == 200
    await bench.order(scene.configure(last + 2, weight=5))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configured")
    assert await scene.answers() == 200

    await bench.stop()
    await bench.start()
    await bench.order(scene.configure(last + 3, weight=6))
    await until(lambda: bench.types(amphora), lambda types: types[-2:] == ["configured", "configured"])
    assert (await bench.events(amphora))[-1].result == "runtime"

    await bench.order(amphora.delete())
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "deleted")
    assert await scene.answers() == 0
    assert [name for name in traces(amphora.id) if "fab" not in name] == []


async def test_after_its_machine_is_lost_it_serves_again(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    await bench.stop()
    await bench.machines.delete(amphora.id, timeout_s=10)
    await scene.plug_fabric()
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    assert await scene.answers() == 200


async def test_it_is_looked_after_without_an_order(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")

    await bench.machines.power_off(amphora.id, timeout_s=10)
    await bench.until_types(amphora, *["booted", "configured"] * 2)
    assert await scene.answers() == 200

    await bench.stop()
    lose_the_authority(bench)
    await bench.start()
    await bench.until_types(amphora, *["booted", "configured"] * 3)
    assert await scene.answers() == 200

    await bench.stop()
    in_use = AMPHORA_LIFETIME - timedelta(seconds=1)
    monkeypatch.setattr("actium_compute.next_step.RENEW_BEFORE", in_use)
    monkeypatch.setattr("actium_compute.watch.RENEW_BEFORE", in_use)
    await bench.start()
    await until(lambda: bench.types(amphora), lambda types: types[6:7] == ["certificate-renewed"])
    await bench.order(scene.configure(2))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configured")
    assert await scene.answers() == 200
    assert (await bench.types(amphora)).count("booted") == 3


async def _weights_change_without_reload(scene: Scene) -> None:
    took_ms = []
    for bundle in range(2, 22):
        began_at = time.monotonic()
        await scene.bench.order(scene.configure(bundle, weight=bundle))
        await until(partial(_bundle, scene), partial(eq, bundle))
        took_ms.append((time.monotonic() - began_at) * 1000)
    results = [event.result for event in (await scene.bench.events(scene.amphora))[2:]]
    print(f"weight change, order to seen on the log: median {sorted(took_ms)[10]:.1f} ms, {results}")
    print([event.took_ms for event in (await scene.bench.events(scene.amphora))[2:]])
    assert set(results) == {"runtime"}


async def _bundle(scene: Scene) -> int:
    return int((await scene.bench.events(scene.amphora))[-1].bundle)
