"""One amphora in a world of its own: nats-server, fabric, namespaces, the agent and haproxy are real."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from actium_network.ports import PortWish
from actium_shared import embedded
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SubnetId
from actium_shared.wishes import LoadBalancerWish, PoolWish
from builders import listener, load_balancer, member, pool, vip
from contract.ports.embedded_world import World
from integration.compute.bench import Amphora, Bench


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


async def make_scene(bench: Bench, world: World, backend_port: int) -> Scene:
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


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()
    writer.close()
