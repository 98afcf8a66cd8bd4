"""A world that accepts everything at once and has nothing behind it: for tests, and for load tests of the rest."""

from collections.abc import Sequence

from actium_network.adapters.listed import ListedNetworks, listed
from actium_network.adapters.remembered import after
from actium_network.ports import Network, PortWish, Routing
from actium_shared.errors import PermanentError


class MemoryFabric(ListedNetworks):
    """`NetworkDriver` that only remembers."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._ports: dict[str, PortWish] = {}
        self._routings: dict[tuple[str, str], Routing] = {}

    async def ensure(self) -> None:
        return

    async def networks(self) -> Sequence[Network]:
        return self._networks

    async def create_port(self, port: PortWish, *, timeout_s: float) -> None:  # noqa: ARG002 - takes no time
        if port.network_id not in {network.id for network in self._networks}:
            raise PermanentError(f"port {port.port_id}: there is no network {port.network_id}")
        self._ports.setdefault(port.port_id, port)

    async def delete_port(self, port_id: str, *, timeout_s: float) -> None:  # noqa: ARG002
        self._ports.pop(port_id, None)

    async def ports(self) -> Sequence[str]:
        return list(self._ports)

    async def route(self, routing: Routing, *, timeout_s: float) -> None:  # noqa: ARG002
        network = listed(self._networks, network_id=routing.network_id, subnet_id=None)
        if network is None:
            raise PermanentError(f"routes to {routing.via}: there is no network {routing.network_id}")
        if not any(subnet.routed for subnet in network.subnets):
            raise PermanentError(f"network {network.name} has no router that could lead a VIP to an amphora")
        self._routings = after(self._routings, routing)

    async def routings(self) -> Sequence[Routing]:
        return list(self._routings.values())
