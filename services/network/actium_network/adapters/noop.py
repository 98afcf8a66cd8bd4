"""
A world that has every network, subnet, port and security group that somebody names, and nothing behind any of them.

What was named is kept in a file, one line each: a network has the same subnets tomorrow. Ports need no keeping.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from actium_network.adapters.listed import listed
from actium_network.ports import ExistingPort, Network, ObjectKind, PortWish, Subnet
from actium_shared.ids import derived_id

MTU = 1500


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet that somebody named, in the network that was named with it."""

    network_id: str
    subnet_id: str
    version: int = 4


class NoopFabric:
    """`NetworkDriver` that only agrees. `networks` are those that it shows to whoever looks for a name."""

    def __init__(self, networks: Sequence[Network], named_file: Path) -> None:
        self._networks = {network.id: network for network in networks}
        self._file = named_file
        self._ports: set[str] = set()

    async def ensure(self) -> None:
        for named in _read(self._file):
            if listed(await self.networks(), network_id=None, subnet_id=named.subnet_id) is None:
                self._add(named)

    async def networks(self) -> Sequence[Network]:
        return tuple(self._networks.values())

    async def find(
        self,
        *,
        network_id: str | None,
        subnet_id: str | None,
        address: str | None = None,
        timeout_s: float,  # noqa: ARG002 - takes no time
    ) -> Network | None:
        known = listed(await self.networks(), network_id=None if subnet_id else network_id, subnet_id=subnet_id)
        if known is not None:
            return None if network_id not in (None, known.id) else known
        named = Named(
            network_id=network_id or derived_id("noop", "network of subnet", str(subnet_id)),
            subnet_id=subnet_id or derived_id("noop", "subnet of network", str(network_id)),
            version=6 if address and ":" in address else 4,
        )
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(named) + b"\n")
        return self._add(named)

    async def find_port(self, port_id: str, *, timeout_s: float) -> ExistingPort | None:  # noqa: ARG002
        subnet_id = derived_id("noop", "subnet of port", port_id)
        network_id = derived_id("noop", "network of subnet", subnet_id)
        address = _subnet(Named(network_id=network_id, subnet_id=subnet_id)).pool_start
        return ExistingPort(port_id=port_id, network_id=network_id, subnet_id=subnet_id, address=address)

    async def has_object(self, kind: ObjectKind, object_id: str, *, timeout_s: float) -> bool:  # noqa: ARG002
        return True

    async def create_port(self, port: PortWish, *, timeout_s: float) -> None:  # noqa: ARG002
        self._ports.add(port.port_id)

    async def delete_port(self, port_id: str, *, timeout_s: float) -> None:  # noqa: ARG002
        self._ports.discard(port_id)

    async def ports(self) -> Sequence[str]:
        return list(self._ports)

    def _add(self, named: Named) -> Network:
        role = "tenant"
        new = Network(id=named.network_id, name=named.network_id, role=role, mtu=MTU, subnets=())
        network = self._networks.get(named.network_id, new)
        self._networks[network.id] = replace(network, subnets=(*network.subnets, _subnet(named)))
        return self._networks[network.id]


def _subnet(named: Named) -> Subnet:
    """
    Give a subnet that contains every address of its family.

    What is handed out comes from a piece of private range that its id chooses, 65 thousand addresses wide.
    """
    chosen = hashlib.sha256(named.subnet_id.encode()).digest()
    start = f"10.{chosen[0]}.0." if named.version == 4 else f"fd{chosen[:5].hex(':', 2)}::"
    return Subnet(
        id=named.subnet_id,
        name=named.subnet_id,
        network_id=named.network_id,
        cidr="0.0.0.0/0" if named.version == 4 else "::/0",
        pool_start=f"{start}1",
        pool_end=f"10.{chosen[0]}.255.254" if named.version == 4 else f"{start}fffe",
    )


def _read(path: Path) -> Iterator[Named]:
    content = path.read_bytes() if path.exists() else b""
    whole, newline, cut_off = content.rpartition(b"\n")
    if cut_off:  # by a power loss; nothing may be written behind it
        os.truncate(path, len(whole + newline))
    yield from (msgspec.json.decode(line, type=Named) for line in whole.splitlines())
