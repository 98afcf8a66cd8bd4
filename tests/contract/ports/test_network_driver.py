"""What every `NetworkDriver` promises, asked of each adapter."""

import dataclasses
import uuid
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from actium_network.adapters import fabric_file
from actium_network.adapters.memory import MemoryFabric
from actium_network.adapters.noop import NoopFabric
from actium_network.ports import Network, NetworkDriver, Routing
from actium_shared.errors import PermanentError
from contract.ports.embedded_world import TIMEOUT_S, World, port_wish

NAMED = "named.jsonl"


class NetworkDriverContract:
    async def test_networks_have_the_same_ids_every_time_and_their_subnets_point_back(
        self, driver: NetworkDriver
    ) -> None:
        networks = await driver.networks()
        assert networks == await driver.networks()
        assert len({network.id for network in networks}) == len(networks) > 0
        assert all(subnet.network_id == network.id for network in networks for subnet in network.subnets)

    async def test_a_created_port_exists_and_a_deleted_one_does_not(self, driver: NetworkDriver) -> None:
        port = port_wish((await driver.networks())[0].id)
        await driver.create_port(port, timeout_s=TIMEOUT_S)
        assert await driver.ports() == [port.port_id]
        await driver.delete_port(port.port_id, timeout_s=TIMEOUT_S)
        assert await driver.ports() == []

    async def test_the_same_port_again_changes_nothing(self, driver: NetworkDriver) -> None:
        port = port_wish((await driver.networks())[0].id)
        await driver.create_port(port, timeout_s=TIMEOUT_S)
        await driver.create_port(port, timeout_s=TIMEOUT_S)
        assert await driver.ports() == [port.port_id]

    async def test_deleting_what_never_was_is_no_error(self, driver: NetworkDriver) -> None:
        await driver.delete_port(str(uuid.uuid4()), timeout_s=TIMEOUT_S)
        assert await driver.ports() == []

    async def test_ensuring_twice_keeps_the_ports(self, driver: NetworkDriver) -> None:
        port = port_wish((await driver.networks())[-1].id)
        await driver.create_port(port, timeout_s=TIMEOUT_S)
        await driver.ensure()
        assert await driver.ports() == [port.port_id]

    async def test_addresses_are_routed_until_they_are_named_no_more(self, driver: NetworkDriver) -> None:
        first = await routing(driver, 1, 1, 2, 3)
        for wish in (first, first, dataclasses.replace(first, addresses=first.addresses[:1])):
            await driver.route(wish, timeout_s=TIMEOUT_S)
            assert await driver.routings() == [wish]
        await driver.route(dataclasses.replace(first, addresses=()), timeout_s=TIMEOUT_S)
        assert await driver.routings() == []

    async def test_an_address_that_is_led_elsewhere_stays_there_when_its_first_way_is_forgotten(
        self, driver: NetworkDriver
    ) -> None:
        first, second = await routing(driver, 1, 1, 2), await routing(driver, 2, 2, 3)
        await driver.route(first, timeout_s=TIMEOUT_S)
        await driver.route(second, timeout_s=TIMEOUT_S)
        assert {wish.via: len(wish.addresses) for wish in await driver.routings()} == {first.via: 1, second.via: 2}
        await driver.route(dataclasses.replace(first, addresses=()), timeout_s=TIMEOUT_S)
        assert await driver.routings() == [second]

    async def test_ensuring_twice_keeps_the_routes(self, driver: NetworkDriver) -> None:
        wish = await routing(driver, 1, 1)
        await driver.route(wish, timeout_s=TIMEOUT_S)
        await driver.ensure()
        assert await driver.routings() == [wish]

    async def test_forgetting_routes_that_never_were_is_no_error(self, driver: NetworkDriver) -> None:
        await driver.route(await routing(driver, 1), timeout_s=TIMEOUT_S)
        assert await driver.routings() == []

    async def test_what_is_listed_is_found_by_network_by_subnet_and_by_both(self, driver: NetworkDriver) -> None:
        for network in await driver.networks():
            subnet_id = network.subnets[0].id
            for named in ((network.id, None), (None, subnet_id), (network.id, subnet_id)):
                assert await found(driver, *named) == network

    async def test_a_subnet_is_not_found_in_a_network_that_it_is_not_of(self, driver: NetworkDriver) -> None:
        first, second = (await driver.networks())[:2]
        assert await found(driver, first.id, second.subnets[0].id) is None

    async def test_what_is_found_once_is_listed_and_found_again(self, driver: NetworkDriver) -> None:
        network = await found(driver, str(uuid.uuid4()), str(uuid.uuid4()))
        listed = await driver.networks()
        assert network is None or (network in listed and await found(driver, network.id, None) == network)


class ListedNetworksContract(NetworkDriverContract):
    """What else holds where all that there is is listed."""

    async def test_what_is_not_listed_is_not_there(self, driver: NetworkDriver) -> None:
        assert await found(driver, str(uuid.uuid4()), None) is None
        assert await found(driver, None, str(uuid.uuid4())) is None
        assert await driver.find_port(str(uuid.uuid4()), timeout_s=TIMEOUT_S) is None
        assert not await driver.has_object("security group", str(uuid.uuid4()), timeout_s=TIMEOUT_S)

    async def test_nothing_is_routed_where_no_router_is(self, driver: NetworkDriver) -> None:
        island = next(network for network in await driver.networks() if network.name == "island")
        wish = dataclasses.replace(await routing(driver, 1, 1), network_id=island.id)
        with pytest.raises(PermanentError, match="island has no router"):
            await driver.route(wish, timeout_s=TIMEOUT_S)
        unknown = dataclasses.replace(wish, network_id=str(uuid.uuid4()))
        with pytest.raises(PermanentError, match=unknown.network_id):
            await driver.route(unknown, timeout_s=TIMEOUT_S)

    async def test_a_port_on_an_unknown_network_is_refused_by_name(self, driver: NetworkDriver) -> None:
        port = port_wish(str(uuid.uuid4()))
        with pytest.raises(PermanentError, match=port.network_id):
            await driver.create_port(port, timeout_s=TIMEOUT_S)
        assert await driver.ports() == []


async def routing(driver: NetworkDriver, via: int, *numbers: int) -> Routing:
    """Give routes on the public network: of the VIPs with these numbers, to the routing address with that number."""
    network = next(network for network in await driver.networks() if network.name == "public")
    start = ip_address(network.subnets[0].pool_start)
    vips = tuple(str(start + number) for number in numbers)
    return Routing(network_id=network.id, via=str(start + 100 + via), addresses=vips)


async def found(driver: NetworkDriver, network_id: str | None, subnet_id: str | None) -> Network | None:
    return await driver.find(network_id=network_id, subnet_id=subnet_id, timeout_s=TIMEOUT_S)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path)
    yield world
    world.remove()


class TestMemoryFabric(ListedNetworksContract):
    @pytest.fixture
    async def driver(self, tmp_path: Path) -> MemoryFabric:
        plan = World.make(tmp_path).plan
        return MemoryFabric([network.as_network(plan.world) for network in plan.networks])


class TestNoopFabric(NetworkDriverContract):
    @pytest.fixture
    async def driver(self, tmp_path: Path) -> NoopFabric:
        return await started(tmp_path)

    async def test_whatever_is_named_is_there(self, driver: NoopFabric) -> None:
        network_id, subnet_id = str(uuid.uuid4()), str(uuid.uuid4())
        network = await found(driver, network_id, subnet_id)
        assert network is not None
        assert (network.id, [subnet.id for subnet in network.subnets]) == (network_id, [subnet_id])
        assert await driver.has_object("QoS policy", str(uuid.uuid4()), timeout_s=TIMEOUT_S)
        await driver.create_port(port_wish(str(uuid.uuid4())), timeout_s=TIMEOUT_S)

    async def test_a_network_takes_one_subnet_after_the_other(self, driver: NoopFabric) -> None:
        network_id, subnet_ids = str(uuid.uuid4()), [str(uuid.uuid4()) for _ in range(2)]
        for subnet_id in subnet_ids:
            await found(driver, network_id, subnet_id)
        network = await found(driver, network_id, None)
        assert network is not None
        assert [subnet.id for subnet in network.subnets] == subnet_ids

    async def test_what_was_named_is_there_after_a_restart(self, driver: NoopFabric, tmp_path: Path) -> None:
        await found(driver, str(uuid.uuid4()), str(uuid.uuid4()))
        await found(driver, None, str(uuid.uuid4()))
        assert await (await started(tmp_path)).networks() == await driver.networks()

    async def test_a_line_that_was_cut_off_is_forgotten(self, driver: NoopFabric, tmp_path: Path) -> None:
        await found(driver, None, str(uuid.uuid4()))
        with (tmp_path / NAMED).open("ab") as file:
            file.write(b'{"network_id": "')
        again = await started(tmp_path)
        assert await again.networks() == await driver.networks()
        last = await found(again, None, str(uuid.uuid4()))
        assert last in await (await started(tmp_path)).networks()

    async def test_a_subnet_has_room_for_every_address_of_the_family_that_was_wished_for(
        self, driver: NoopFabric
    ) -> None:
        for address, cidr in (("198.18.33.33", "0.0.0.0/0"), ("2001:db8::33", "::/0")):
            network = await driver.find(
                network_id=None, subnet_id=str(uuid.uuid4()), address=address, timeout_s=TIMEOUT_S
            )
            assert network is not None
            (subnet,) = network.subnets
            assert subnet.cidr == cidr
            assert ip_address(subnet.pool_start) in ip_network(cidr)
            assert int(ip_address(subnet.pool_end)) - int(ip_address(subnet.pool_start)) > 60_000

    async def test_a_port_is_always_the_same(self, driver: NoopFabric) -> None:
        port_id = str(uuid.uuid4())
        port = await driver.find_port(port_id, timeout_s=TIMEOUT_S)
        assert port == await driver.find_port(port_id, timeout_s=TIMEOUT_S)
        assert port is not None
        assert await found(driver, port.network_id, port.subnet_id) is not None


async def started(folder: Path) -> NoopFabric:
    plan = (
        World.make(folder).plan if not (folder / "fabric.toml").exists() else fabric_file.read(folder / "fabric.toml")
    )
    driver = NoopFabric([network.as_network(plan.world) for network in plan.networks], folder / NAMED)
    await driver.ensure()
    return driver


@pytest.mark.root
class TestNetlinkFabric(ListedNetworksContract):
    @pytest.fixture
    async def driver(self, world: World) -> NetworkDriver:
        driver = world.fabric()
        await driver.ensure()
        return driver

    async def test_what_is_no_address_is_refused_by_name(self, driver: NetworkDriver) -> None:
        wish = dataclasses.replace(await routing(driver, 1), addresses=("198.18.0.1\nlink del lo",))
        with pytest.raises(PermanentError, match="no address that could be routed"):
            await driver.route(wish, timeout_s=TIMEOUT_S)

    async def test_ipv6_is_routed_as_well(self, driver: NetworkDriver, world: World) -> None:
        ipv6 = world.plan.networks[1].ipv6
        assert ipv6
        start = ip_address(ipv6.pool[0])
        vips = tuple(sorted(str(start + number) for number in (1, 2)))
        wish = Routing(network_id=world.network_id("public"), via=str(start + 100), addresses=vips)
        await driver.route(wish, timeout_s=TIMEOUT_S)
        assert await driver.routings() == [wish]
        await driver.route(dataclasses.replace(wish, addresses=()), timeout_s=TIMEOUT_S)
        assert await driver.routings() == []

    async def test_a_mac_that_is_none_is_refused_by_name(self, driver: NetworkDriver) -> None:
        port = dataclasses.replace(port_wish((await driver.networks())[0].id), mac="02:00\nlink del lo")
        with pytest.raises(PermanentError, match="mac"):
            await driver.create_port(port, timeout_s=TIMEOUT_S)
