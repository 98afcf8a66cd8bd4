"""What every `NetworkDriver` promises, asked of each adapter."""

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from actium_network.adapters.memory import MemoryFabric
from actium_network.ports import NetworkDriver
from actium_shared.errors import PermanentError
from contract.ports.embedded_world import TIMEOUT_S, World, port_wish


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

    async def test_a_port_on_an_unknown_network_is_refused_by_name(self, driver: NetworkDriver) -> None:
        port = port_wish(str(uuid.uuid4()))
        with pytest.raises(PermanentError, match=port.network_id):
            await driver.create_port(port, timeout_s=TIMEOUT_S)
        assert await driver.ports() == []

    async def test_ensuring_twice_keeps_the_ports(self, driver: NetworkDriver) -> None:
        port = port_wish((await driver.networks())[-1].id)
        await driver.create_port(port, timeout_s=TIMEOUT_S)
        await driver.ensure()
        assert await driver.ports() == [port.port_id]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path)
    yield world
    world.remove()


class TestMemoryFabric(NetworkDriverContract):
    @pytest.fixture
    async def driver(self, tmp_path: Path) -> MemoryFabric:
        plan = World.make(tmp_path).plan
        return MemoryFabric([network.as_network(plan.world) for network in plan.networks])


@pytest.mark.root
class TestNetlinkFabric(NetworkDriverContract):
    @pytest.fixture
    async def driver(self, world: World) -> NetworkDriver:
        driver = world.fabric()
        await driver.ensure()
        return driver

    async def test_a_mac_that_is_none_is_refused_by_name(self, driver: NetworkDriver) -> None:
        port = dataclasses.replace(port_wish((await driver.networks())[0].id), mac="02:00\nlink del lo")
        with pytest.raises(PermanentError, match="mac"):
            await driver.create_port(port, timeout_s=TIMEOUT_S)
