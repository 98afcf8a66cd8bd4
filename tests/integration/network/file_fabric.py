"""A world of networks for tests, whose ports are files: it outlives the process that makes them, as a real one does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from actium_network import main as network
from actium_network.adapters.listed import ListedNetworks
from actium_network.ports import Network, PortWish, Routing, Subnet
from actium_network.settings import NetworkSettings
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.event_store import JetStreamEventStore
from actium_shared.service import connect, start


def a_network(name: str, role: str, cidr: str, pool: tuple[str, str], *, host: str | None = None) -> Network:
    gateway = f"{cidr.rpartition('.')[0]}.1"
    subnet = Subnet(
        id=f"subnet-{name}",
        name=name,
        network_id=f"network-{name}",
        cidr=cidr,
        pool_start=pool[0],
        pool_end=pool[1],
        gateway=gateway,
        routed=role == "vip",
        host=host,
    )
    return Network(id=f"network-{name}", name=name, role=role, mtu=1500, subnets=(subnet,))


VIA = "via-"
"""Before a routing address: what leads to it."""

NETWORKS = (
    a_network("mgmt", "management", "10.250.0.0/16", ("10.250.1.0", "10.250.255.254")),
    a_network("public", "vip", "203.0.113.0/24", ("203.0.113.100", "203.0.113.250"), host="203.0.113.2"),
    a_network("small", "tenant", "10.9.0.0/24", ("10.9.0.10", "10.9.0.10")),
)


class FileFabric(ListedNetworks):
    """`NetworkDriver`: a file per port. `failures` are raised by the next calls that make a port."""

    def __init__(self, folder: Path, networks: Sequence[Network] = NETWORKS) -> None:
        self.folder = folder
        self.seen = list(networks)
        self.failures: list[Exception] = []
        self.hold: asyncio.Event | None = None
        self.removing = asyncio.Event()

    async def ensure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    async def networks(self) -> Sequence[Network]:
        return self.seen

    async def create_port(self, port: PortWish, *, timeout_s: float) -> None:
        if self.hold is not None:
            await asyncio.wait_for(self.hold.wait(), timeout_s)
        if self.failures:
            raise self.failures.pop(0)
        if port.network_id not in {network.id for network in self.seen}:
            raise PermanentError(f"there is no network {port.network_id}")
        (self.folder / port.port_id).write_text(str(port.address))

    async def delete_port(self, port_id: str, *, timeout_s: float) -> None:
        if timeout_s <= 0:
            raise RetryableError("no time")
        self.removing.set()
        if self.hold is not None:
            await asyncio.wait_for(self.hold.wait(), timeout_s)
        (self.folder / port_id).unlink(missing_ok=True)

    async def ports(self) -> Sequence[str]:
        return [path.name for path in self.folder.iterdir() if not path.name.startswith(VIA)]

    async def route(self, routing: Routing, *, timeout_s: float) -> None:
        if self.hold is not None:
            await asyncio.wait_for(self.hold.wait(), timeout_s)
        if self.failures:
            raise self.failures.pop(0)
        (self.folder / f"{VIA}{routing.via}").write_bytes(msgspec.json.encode(routing))

    async def routings(self) -> Sequence[Routing]:
        found = [msgspec.json.decode(path.read_bytes(), type=Routing) for path in sorted(self.folder.glob(f"{VIA}*"))]
        return [routing for routing in found if routing.addresses]


async def main(settings: NetworkSettings) -> None:
    async with connect("network", settings) as bus:
        await network.serve(settings, bus, driver=FileFabric(settings.fabric_file), store=JetStreamEventStore(bus))


if __name__ == "__main__":
    start("network", NetworkSettings, main)
