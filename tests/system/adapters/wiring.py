"""Amphorae plugged into a fabric as services and agents do it, and a word through it."""

import asyncio
import socket

from actium_compute.adapters.namespaces import NamespaceMachines
from actium_network.adapters.netlink import NetlinkFabric
from actium_shared import embedded
from actium_shared.embedded import namespaces
from contract.ports.embedded_world import TIMEOUT_S, World, ip, machine_port, machine_wish, port_wish


async def boot(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str, *, address: str
) -> None:
    port_id = await port(world, fabric, "lb-mgmt")
    await machines.boot(machine_wish(amphora_id, machine_port(port_id, address)), timeout_s=TIMEOUT_S)


async def port(world: World, fabric: NetlinkFabric, network: str) -> str:
    wish = port_wish(world.network_id(network))
    await fabric.create_port(wish, timeout_s=TIMEOUT_S)
    return wish.port_id


async def plug(machines: NamespaceMachines, amphora_id: str, port_id: str, *, name: str, address: str) -> None:
    """Attach, and do what the agent does with an interface that it is told to use."""
    await machines.attach(amphora_id, machine_port(port_id), timeout_s=TIMEOUT_S)
    management, traffic = embedded.amphora_namespace(amphora_id), embedded.traffic_namespace(amphora_id)
    ip("-n", management, "link", "set", embedded.machine_end(port_id), "netns", traffic, "name", name)
    ip("-n", traffic, "addr", "add", address, "dev", name)
    ip("-n", traffic, "link", "set", name, "up")


async def answer(namespace: str | None, address: str, source: str | None = None) -> bytes:
    """Let the amphora's traffic side listen on the address, connect to it from elsewhere, and give what it says."""
    loop = asyncio.get_running_loop()
    assert namespace
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespaces.entered(namespace):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, 8080))
    with listener:
        listener.listen()
        listener.setblocking(False)
        client = client_in(source, family)
        with client:
            client.setblocking(False)
            async with asyncio.timeout(3):
                await loop.sock_connect(client, (address, 8080))
                peer, _ = await loop.sock_accept(listener)
                with peer:
                    await loop.sock_sendall(peer, b"here")
                return await loop.sock_recv(client, 10)


def client_in(namespace: str | None, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    if namespace is None:
        return socket.socket(family)
    with namespaces.entered(namespace):
        return socket.socket(family)
