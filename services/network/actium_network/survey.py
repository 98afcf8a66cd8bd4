"""What somebody names and the tables do not know is looked for in the world, and told on the log: then everybody knows it."""

import asyncio
from collections.abc import Iterable

import sqlalchemy as sa

from actium_network import objects
from actium_network.discovery import as_event_value
from actium_network.journal import Journal, network_subject
from actium_network.ports import ExistingPort, NetworkDriver
from actium_network.read_model import queries
from actium_network.read_model.projections import OWN
from actium_shared.commands.network import FindNetworkObjects
from actium_shared.events.network import Network, NetworkDiscovered
from actium_shared.ids import NetworkId, PortId, SubnetId
from actium_shared.message import Accepted, Position, Rejected, WorkCause
from actium_shared.read_model import Database

TIMEOUT_S = 5.0
"""Of one look; whoever asks waits for it."""


class Survey:
    """Raises `RetryableError` from all methods where the world does not answer."""

    def __init__(self, *, driver: NetworkDriver, database: Database, journal: Journal) -> None:
        self._driver = driver
        self._database = database
        self._journal = journal
        self._looking = asyncio.Lock()  # what many name at once is looked for once

    async def learn(
        self, subnet_ids: Iterable[SubnetId | None], *, network_id: NetworkId | None = None, address: str | None = None
    ) -> None:
        """
        Have the tables know these, as far as they exist. `None` among the subnets: any of the network's.

        Where no network is named the first subnet's is meant for all of them.
        """
        for subnet_id in subnet_ids:
            known = await self._known(network_id, subnet_id, address)
            known = known or await self._look(network_id, subnet_id, address)
            network_id = network_id or known

    async def port(self, port_id: PortId | None) -> ExistingPort | None:
        """Give a port that is not of our making, after learning about its network; None where there is none."""
        port = None if port_id is None else await self._driver.find_port(port_id, timeout_s=TIMEOUT_S)
        if port is not None:
            await self.learn([SubnetId(port.subnet_id)], network_id=NetworkId(port.network_id), address=port.address)
        return port

    async def find_objects(self, command: FindNetworkObjects) -> Accepted | Rejected:
        """Answer whether all of them exist."""
        nothing_to_wait_for = Position(OWN, 0)
        return await objects.find(command, self._driver, position=nothing_to_wait_for)

    async def _known(
        self, network_id: NetworkId | None, subnet_id: SubnetId | None, address: str | None
    ) -> NetworkId | None:
        """Give the network, None where it is not known, or no subnet of it that was meant for such an address."""

        def query(connection: sa.Connection) -> NetworkId | None:
            if subnet_id is None and address is not None:
                return queries.network_for(connection, network_id, address)
            return queries.network_of(connection, network_id, subnet_id)

        return await self._database.read(query)

    async def _look(
        self, network_id: NetworkId | None, subnet_id: SubnetId | None, address: str | None
    ) -> NetworkId | None:
        if network_id is None and subnet_id is None:
            return None
        async with self._looking:
            found = await self._driver.find(
                network_id=network_id, subnet_id=subnet_id, address=address, timeout_s=TIMEOUT_S
            )
            if found is not None:
                await self._tell(as_event_value(found))
            return None if found is None else NetworkId(found.id)

    async def _tell(self, network: Network) -> None:
        def query(connection: sa.Connection) -> tuple[bool, int]:
            is_news = queries.networks(connection).get(network.id) != network
            return is_news, queries.sequence(connection, network_subject(network.id))

        is_news, expected = await self._database.read(query)
        if is_news:
            await self._journal.append(
                network_subject(network.id),
                [NetworkDiscovered(network=network)],
                cause=WorkCause(order_id="network.discover"),
                expected=expected,
            )
