"""A world that accepts everything at once and has nothing behind it: for tests, and for load tests of the rest."""

from collections.abc import Sequence

from actium_network.adapters.listed import ListedNetworks
from actium_network.ports import Network, PortWish
from actium_shared.errors import PermanentError


class MemoryFabric(ListedNetworks):
    """`NetworkDriver` that only remembers."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._ports: dict[str, PortWish] = {}

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
