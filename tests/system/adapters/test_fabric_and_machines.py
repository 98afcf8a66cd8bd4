"""Fabric and machines together, with packets: who reaches whom, hot-plug, fences, and a host that stays as it was."""

import asyncio
import socket
import subprocess
import uuid
from ipaddress import ip_address
from pathlib import Path

import pytest

from actium_compute.adapters.management import FabricManagementNetwork
from actium_compute.adapters.namespaces import NamespaceMachines
from actium_network.adapters.netlink import NetlinkFabric
from actium_network.ports import Routing
from actium_shared import embedded
from actium_shared.embedded import namespaces
from actium_shared.errors import RetryableError
from contract.ports.embedded_world import TIMEOUT_S, World, eventually, ip, machine_port, port_wish, traces
from system.adapters.wiring import answer, boot, client_in, plug, port

pytestmark = pytest.mark.root


async def test_the_controller_keeps_its_hardware_address_whoever_comes_and_goes(
    world: World, fabric: NetlinkFabric
) -> None:
    """Else agents answer to where it was, until they have asked where it is: a second or two."""
    bridge = ("-n", world.plan.namespace, "-br", "link", "show", embedded.bridge("lb-mgmt"))
    before = ip(*bridge)
    port_id = await port(world, fabric, "lb-mgmt")
    ip("-n", world.plan.namespace, "link", "set", embedded.fabric_end(port_id), "address", "02:00:00:00:00:01")
    while_there = ip(*bridge)
    await fabric.delete_port(port_id, timeout_s=TIMEOUT_S)
    assert [line.split()[2] for line in (while_there, ip(*bridge))] == [before.split()[2]] * 2


async def test_the_host_reaches_an_interface_on_the_public_network(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    address = world.plan.networks[1].pool[0]
    await plug(machines, amphora_id, await port(world, fabric, "public"), name="vip0", address=f"{address}/24")
    assert await answer(embedded.traffic_namespace(amphora_id), address) == b"here"


async def test_a_vip_that_is_on_no_wire_is_reached_from_the_host_and_from_other_networks(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    other = str(uuid.uuid4())
    await boot(world, fabric, machines, other, address="10.250.1.2")
    public, traffic, client = (
        world.plan.networks[1],
        *(embedded.traffic_namespace(each) for each in (amphora_id, other)),
    )
    assert public.ipv6
    await plug(machines, amphora_id, await port(world, fabric, "public"), name="vip0", address=f"{public.pool[0]}/24")
    await plug(machines, other, await port(world, fabric, "tenant-a"), name="net0", address="10.1.0.50/24")
    ip("-n", client, "route", "add", "default", "via", "10.1.0.1")
    ip("-n", traffic, "route", "add", "default", "via", str(public.gateway))
    # Who asks for it on the network is not to be answered by the amphora.
    namespaces.set_kernel(traffic, {"ipv4/conf/all/arp_ignore": "1"})
    # And it cannot look for IPv6 neighbours by an address that is on another link.
    ip("-n", traffic, "addr", "add", "fe80::1/64", "dev", "vip0", "nodad")
    for first, plain, host in ((public.pool[0], 24, 32), (public.ipv6.pool[0], 64, 128)):
        routing, vip = (str(ip_address(first) + number) for number in (1, 2))
        ip("-n", traffic, "addr", "add", f"{routing}/{plain}", "dev", "vip0")
        ip("-n", traffic, "addr", "add", f"{vip}/{host}", "dev", "lo")
        wish = Routing(network_id=world.network_id("public"), via=routing, addresses=(vip,))
        await fabric.route(wish, timeout_s=TIMEOUT_S)
        assert await answer(traffic, vip) == b"here"
    assert await answer(traffic, str(ip_address(public.pool[0]) + 2), client) == b"here"


async def test_who_spoke_to_an_address_before_it_was_routed_finds_it_at_once(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    before = str(uuid.uuid4())
    await boot(world, fabric, machines, before, address="10.250.1.2")
    public, traffic, others = (
        world.plan.networks[1],
        *(embedded.traffic_namespace(each) for each in (amphora_id, before)),
    )
    assert public.ipv6
    await plug(machines, amphora_id, await port(world, fabric, "public"), name="vip0", address=f"{public.pool[0]}/24")
    await plug(machines, before, await port(world, fabric, "public"), name="vip0", address=f"{public.pool[1]}/24")
    namespaces.set_kernel(traffic, {"ipv4/conf/all/arp_ignore": "1"})
    for number, each in enumerate((traffic, others), start=1):
        ip("-n", each, "addr", "add", f"fe80::{number}/64", "dev", "vip0", "nodad")
    for first, plain, host in ((public.pool[0], 24, 32), (public.ipv6.pool[0], 64, 128)):
        routing, vip = (str(ip_address(first) + number) for number in (1, 2))
        ip("-n", others, "addr", "add", f"{vip}/{plain}", "dev", "vip0")
        assert await answer(others, vip) == b"here"
        ip("-n", others, "addr", "del", f"{vip}/{plain}", "dev", "vip0")
        ip("-n", traffic, "addr", "add", f"{routing}/{plain}", "dev", "vip0")
        ip("-n", traffic, "addr", "add", f"{vip}/{host}", "dev", "lo")
        wish = Routing(network_id=world.network_id("public"), via=routing, addresses=(vip,))
        await fabric.route(wish, timeout_s=TIMEOUT_S)
        assert await answer(traffic, vip) == b"here"


async def test_routed_networks_reach_one_another_through_the_router(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    other = str(uuid.uuid4())
    await boot(world, fabric, machines, other, address="10.250.1.2")
    public = world.plan.networks[1]
    await plug(machines, amphora_id, await port(world, fabric, "tenant-a"), name="net0", address="10.1.0.50/24")
    await plug(machines, other, await port(world, fabric, "public"), name="vip0", address=f"{public.pool[0]}/24")
    ip("-n", embedded.traffic_namespace(amphora_id), "route", "add", "default", "via", "10.1.0.1")
    ip("-n", embedded.traffic_namespace(other), "route", "add", "default", "via", str(public.gateway))
    found = await answer(embedded.traffic_namespace(other), public.pool[0], embedded.traffic_namespace(amphora_id))
    assert found == b"here"


async def test_ipv6_leads_from_the_host_to_the_public_network_and_through_the_router(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    other = str(uuid.uuid4())
    await boot(world, fabric, machines, other, address="10.250.1.2")
    public, tenant = (world.plan.networks[index].ipv6 for index in (1, 2))
    assert public
    assert tenant
    traffic, others = (embedded.traffic_namespace(each) for each in (amphora_id, other))
    for ends, network, plan in ((traffic, "tenant-a", tenant), (others, "public", public)):
        machine = amphora_id if ends == traffic else other
        await plug(machines, machine, await port(world, fabric, network), name="net0", address=f"{plan.pool[0]}/64")
        ip("-n", ends, "route", "add", "default", "via", str(plan.gateway))
    await eventually(lambda: "tentative" not in ip("-n", others, "address", "show", "dev", "net0"))
    await eventually(lambda: "tentative" not in ip("-n", traffic, "address", "show", "dev", "net0"))
    assert await answer(others, public.pool[0]) == b"here"
    assert await answer(others, public.pool[0], traffic) == b"here"


async def test_a_tenant_may_use_the_very_addresses_of_the_management_network(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    other = str(uuid.uuid4())
    await boot(world, fabric, machines, other, address="10.250.1.2")
    await plug(machines, amphora_id, await port(world, fabric, "island"), name="net0", address="10.250.1.1/16")
    await plug(machines, other, await port(world, fabric, "island"), name="net0", address="10.250.1.2/16")
    traffic = embedded.traffic_namespace(other), embedded.traffic_namespace(amphora_id)
    assert await answer(traffic[0], "10.250.1.2", traffic[1]) == b"here"
    management = embedded.amphora_namespace(other)
    assert await answer(management, "10.250.1.2", world.plan.namespace) == b"here"


async def test_the_controller_reaches_the_management_side_and_is_reached_from_it(world: World, amphora_id: str) -> None:
    network = FabricManagementNetwork(world.plan.namespace)
    with (
        network.datagram_socket(("10.250.0.1", 0)) as relay,
        client_in(embedded.amphora_namespace(amphora_id)) as agent,
    ):
        agent.bind(("10.250.1.1", 9443))
        agent.listen()
        (await network.connect("10.250.1.1", 9443, timeout_s=3)).close()
        with namespaces.entered(embedded.amphora_namespace(amphora_id)):
            beats = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with beats:
            beats.sendto(b"beat", relay.getsockname())
            async with asyncio.timeout(3):
                assert (await asyncio.get_running_loop().sock_recvfrom(relay, 10))[0] == b"beat"


async def test_an_interface_that_the_agent_took_is_neither_attached_again_nor_lost(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    port_id = await port(world, fabric, "public")
    await plug(machines, amphora_id, port_id, name="vip0", address="198.18.0.100/24")
    await machines.attach(amphora_id, machine_port(port_id), timeout_s=TIMEOUT_S)
    traffic = embedded.traffic_namespace(amphora_id)
    assert "198.18.0.100" in ip("-n", traffic, "addr", "show", "vip0")
    await machines.detach(amphora_id, port_id, timeout_s=TIMEOUT_S)
    assert namespaces.links(traffic) == {"lo"}
    parked = ip("-n", world.plan.namespace, "addr", "show", embedded.machine_end(port_id))
    assert embedded.mac_of(port_id) in parked
    assert "198.18.0.100" not in parked
    assert port_id in await fabric.ports()


async def test_a_port_can_be_deleted_wherever_its_other_end_is(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    port_id = await port(world, fabric, "public")
    await plug(machines, amphora_id, port_id, name="vip0", address="198.18.0.100/24")
    await fabric.delete_port(port_id, timeout_s=TIMEOUT_S)
    assert namespaces.links(embedded.traffic_namespace(amphora_id)) == {"lo"}
    assert port_id not in await fabric.ports()


async def test_a_fenced_amphora_is_silent_and_stays_so_when_its_ports_are_made_again(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines, amphora_id: str
) -> None:
    address, wish = world.plan.networks[1].pool[0], port_wish(world.network_id("public"))
    await fabric.create_port(wish, timeout_s=TIMEOUT_S)
    await plug(machines, amphora_id, wish.port_id, name="vip0", address=f"{address}/24")
    await machines.cut_links(amphora_id)
    await fabric.create_port(wish, timeout_s=TIMEOUT_S)
    with pytest.raises((TimeoutError, OSError)):
        await answer(embedded.traffic_namespace(amphora_id), address)
    with pytest.raises(RetryableError):
        await FabricManagementNetwork(world.plan.namespace).connect("10.250.1.1", 9443, timeout_s=0.3)
    assert await machines.power(amphora_id)


def host() -> dict[str, str]:
    rules = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    settings = Path("/proc/sys/net")
    values = (
        "ipv4/ip_forward",
        "ipv4/conf/all/rp_filter",
        "bridge/bridge-nf-call-iptables",
        "ipv6/conf/all/forwarding",
    )
    known = {name: (settings / name).read_text() for name in values if (settings / name).exists()}
    return known | {"nft": rules, "default routes": ip("route", "show", "default")}


async def test_the_hosts_own_settings_are_not_touched(tmp_path: Path) -> None:
    before = host()
    world = World.make(tmp_path)
    try:
        await world.fabric().ensure()
        assert host() == before
        assert "1" in _inside(world.plan.router, "ipv4/ip_forward")
        assert "0" in _inside(world.plan.namespace, "ipv4/ip_forward")
    finally:
        world.remove()
    assert host() == before


def _inside(namespace: str, setting: str) -> str:
    with namespaces.entered(namespace):
        return (Path("/proc/sys/net") / setting).read_text()


async def test_a_foreign_link_of_the_hosts_is_not_taken_over(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    ip("link", "add", world.plan.host_link, "type", "bridge")
    try:
        with pytest.raises(RetryableError, match=world.plan.host_link):
            await world.fabric().ensure()
        world.remove()
        assert world.plan.host_link in namespaces.links(None)
    finally:
        ip("link", "del", world.plan.host_link)
    assert traces(world.name) == []
