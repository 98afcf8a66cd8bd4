"""Fabric and machines together, with packets: who reaches whom, hot-plug, fences, many at once, and nothing left."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import uuid
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from actium_compute.adapters.images import Images
from actium_compute.adapters.management import FabricManagementNetwork
from actium_compute.adapters.namespaces import NamespaceMachines
from actium_network.adapters.netlink import NetlinkFabric
from actium_network.ports import Routing
from actium_shared import embedded
from actium_shared.embedded import namespaces
from actium_shared.errors import RetryableError
from contract.ports.embedded_world import (
    IMAGE,
    TIMEOUT_S,
    World,
    eventually,
    ip,
    machine_port,
    machine_wish,
    port_wish,
    traces,
)

pytestmark = pytest.mark.root


@pytest.fixture
def fabric(world: World) -> NetlinkFabric:
    return world.fabric()


@pytest.fixture
def machines(world: World) -> NamespaceMachines:
    return world.machines()


@pytest.fixture
async def amphora_id(world: World, fabric: NetlinkFabric, machines: NamespaceMachines) -> str:
    amphora_id = str(uuid.uuid4())
    await boot(world, fabric, machines, amphora_id, address="10.250.1.1")
    return amphora_id


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
        client = _client(source, family)
        with client:
            client.setblocking(False)
            async with asyncio.timeout(3):
                await loop.sock_connect(client, (address, 8080))
                peer, _ = await loop.sock_accept(listener)
                with peer:
                    await loop.sock_sendall(peer, b"here")
                return await loop.sock_recv(client, 10)


def _client(namespace: str | None, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    if namespace is None:
        return socket.socket(family)
    with namespaces.entered(namespace):
        return socket.socket(family)


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
    with network.datagram_socket(("10.250.0.1", 0)) as relay, _client(embedded.amphora_namespace(amphora_id)) as agent:
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


async def test_eight_boots_and_deletions_at_once(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(8)]
    await asyncio.gather(
        *(
            boot(world, fabric, machines, amphora_id, address=f"10.250.1.{number}")
            for number, amphora_id in enumerate(ids, start=1)
        )
    )
    found = await machines.running()
    assert sorted(found) == sorted(ids)
    assert all(machine.powered for machine in found.values())
    assert sorted(machine.host for machine in found.values()).count("host-1") in {2, 3}
    await asyncio.gather(*(machines.delete(amphora_id, timeout_s=TIMEOUT_S) for amphora_id in ids))
    assert await machines.running() == {}
    assert traces(*ids) == []
    assert await fabric.ports() == []


async def test_a_caller_that_gives_up_leaves_a_machine_that_can_be_deleted(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines
) -> None:
    amphora_id = str(uuid.uuid4())
    booting = asyncio.create_task(boot(world, fabric, machines, amphora_id, address="10.250.1.1"))
    await eventually((world.amphorae / amphora_id).exists)
    booting.cancel()
    await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
    await asyncio.wait([booting])
    assert traces(amphora_id) == []
    assert await machines.running() == {}


async def test_keys_are_readable_by_root_only_and_go_with_the_amphora(
    machines: NamespaceMachines, amphora_id: str
) -> None:
    folder = embedded.secrets_folder(amphora_id)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in folder.iterdir()] == [("heartbeat.key", 0o600)]
    await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
    assert not folder.exists()


async def test_an_amphora_that_lost_its_power_is_seen_and_boots_again(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    amphora_id = str(uuid.uuid4())
    wish = machine_wish(amphora_id, machine_port(await port(world, fabric, "lb-mgmt")))
    first = await machines.boot(wish, timeout_s=TIMEOUT_S)
    for pid in namespaces.processes([embedded.amphora_namespace(amphora_id)])[embedded.amphora_namespace(amphora_id)]:
        with suppress(ProcessLookupError):  # the end of one is the end of all
            os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not namespaces.processes([embedded.amphora_namespace(amphora_id)]))
    assert not await machines.power(amphora_id)
    assert not (await machines.running())[amphora_id].powered
    assert await machines.boot(wish, timeout_s=TIMEOUT_S) == first
    assert await machines.power(amphora_id)


async def test_an_init_that_ends_is_told_with_its_last_words_and_not_taken_for_power(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    (world.folder / "images" / IMAGE / "init").write_text("echo no agent here >&2; exit 3\n")
    wish = machine_wish(str(uuid.uuid4()), machine_port(await port(world, fabric, "lb-mgmt")))
    try:
        await machines.boot(wish, timeout_s=TIMEOUT_S)
    except RetryableError as exc:
        assert "no agent here" in str(exc)  # noqa: PT017 - it may also have been seen alive for a moment
    name = embedded.amphora_namespace(wish.amphora_id)
    await eventually(lambda: not namespaces.processes([name]))
    assert not await machines.power(wish.amphora_id)


async def test_the_amphora_has_what_its_init_needs_and_nothing_of_ours(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    (world.folder / "images" / IMAGE / "init").write_text(
        "env | sort; echo pid $$; ls /sys/class/net; ls /proc/self/fd | wc -l; readlink /proc/self/ns/net; sleep 1000\n"
    )
    amphora_id = str(uuid.uuid4())
    wish = machine_wish(amphora_id, machine_port(await port(world, fabric, "lb-mgmt")))
    await machines.boot(wish, timeout_s=TIMEOUT_S)
    console = world.amphorae / amphora_id / "console.log"
    await eventually(lambda: "net:[" in console.read_text())
    said = console.read_text().splitlines()
    assert [line.split("=")[0] for line in said if "=" in line] == [
        "AMPHORA_CONFIG", "AMPHORA_ID", "AMPHORA_IMAGE", "AMPHORA_PYTHON", "AMPHORA_TRAFFIC_NAMESPACE", "PATH", "PWD",
    ]  # fmt: skip
    assert {"pid 1", "lo", "mgmt0"} <= set(said)
    assert f"net:[{(namespaces.FOLDER / embedded.amphora_namespace(amphora_id)).stat().st_ino}]" in said


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


async def test_the_image_that_is_built_here_starts_its_agent_again_and_again(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    tag = Images(world.folder / "images").build("default")
    amphora_id = str(uuid.uuid4())
    port_id = await port(world, fabric, "lb-mgmt")
    wish = machine_wish(amphora_id, machine_port(port_id), image_tag=tag, files={"amphora.json": b"{}"})
    await machines.boot(wish, timeout_s=TIMEOUT_S)
    console = world.amphorae / amphora_id / "console.log"
    await eventually(lambda: console.read_text().count("the agent ended") >= 2, timeout_s=20)
    assert "/run/amphora/config/" in console.read_text()  # what it misses, by name
    assert await machines.power(amphora_id)
