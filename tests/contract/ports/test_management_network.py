"""What every `ManagementNetwork` promises, asked of each adapter."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actium_compute.adapters.management import FabricManagementNetwork, PlainManagementNetwork
from actium_compute.ports import ManagementNetwork
from actium_shared.errors import RetryableError
from contract.ports.embedded_world import TIMEOUT_S, World


class ManagementNetworkContract:
    async def test_what_is_listened_on_can_be_connected_to(self, network: ManagementNetwork, address: str) -> None:
        loop = asyncio.get_running_loop()
        with network.listen((address, 0)) as listener:
            port = listener.getsockname()[1]
            with await network.connect(address, port, timeout_s=TIMEOUT_S) as client:
                peer, _ = await loop.sock_accept(listener)
                with peer:
                    await loop.sock_sendall(client, b"hello")
                    assert await loop.sock_recv(peer, 5) == b"hello"

    async def test_nobody_there_may_be_tried_later(self, network: ManagementNetwork, address: str) -> None:
        with network.listen((address, 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(RetryableError, match=f"{address}:{port}"):
            await network.connect(address, port, timeout_s=TIMEOUT_S)

    async def test_no_answer_ends_with_the_deadline(self, network: ManagementNetwork, address: str) -> None:
        with network.listen((address, 0)) as listener:
            listener.listen(0)
            port = listener.getsockname()[1]
            with (
                await network.connect(address, port, timeout_s=TIMEOUT_S),  # fills the queue
                pytest.raises(RetryableError, match="no answer within"),
            ):
                (await network.connect(address, port, timeout_s=0.2)).close()

    async def test_datagrams_arrive(self, network: ManagementNetwork, address: str) -> None:
        loop = asyncio.get_running_loop()
        with network.datagram_socket((address, 0)) as one, network.datagram_socket((address, 0)) as other:
            await loop.sock_sendto(one, b"tick", other.getsockname())
            assert (await loop.sock_recvfrom(other, 10))[0] == b"tick"

    async def test_an_address_that_is_taken_or_absent_may_be_tried_later(
        self, network: ManagementNetwork, address: str
    ) -> None:
        with network.listen((address, 0)) as listener, pytest.raises(RetryableError, match=address):
            network.listen(listener.getsockname())
        with pytest.raises(RetryableError, match=r"192\.0\.2\.1"):
            network.datagram_socket(("192.0.2.1", 0))

    async def test_sockets_do_not_block(self, network: ManagementNetwork, address: str) -> None:
        with network.listen((address, 0)) as listener, network.datagram_socket((address, 0)) as datagrams:
            assert not listener.getblocking()
            assert not datagrams.getblocking()


class TestPlainManagementNetwork(ManagementNetworkContract):
    @pytest.fixture
    def network(self) -> PlainManagementNetwork:
        return PlainManagementNetwork()

    @pytest.fixture
    def address(self) -> str:
        return "127.0.0.1"


@pytest.mark.root
class TestFabricManagementNetwork(ManagementNetworkContract):
    @pytest.fixture
    async def network(self, tmp_path: Path) -> AsyncIterator[FabricManagementNetwork]:
        world = World.make(tmp_path)
        await world.fabric().ensure()
        yield FabricManagementNetwork(world.plan.namespace)
        world.remove()

    @pytest.fixture
    def address(self) -> str:
        return "10.250.0.1"

    async def test_the_process_itself_stays_where_it_was(self, network: FabricManagementNetwork, address: str) -> None:
        with network.listen((address, 0)) as listener:
            assert socket.if_nameindex() != []
            with pytest.raises(RetryableError):
                PlainManagementNetwork().datagram_socket(listener.getsockname())

    async def test_a_fabric_that_is_not_there_yet_may_be_tried_later(self) -> None:
        with pytest.raises(RetryableError, match="nowhere"):
            FabricManagementNetwork("nowhere").listen(("127.0.0.1", 0))
