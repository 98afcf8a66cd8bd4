"""
A world that has every network, subnet, port and security group that somebody names, and nothing behind any of them.

What was named is kept in a file, one line each: a network has the same subnets tomorrow. Ports need no keeping.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import msgspec

from actium_network.adapters.remembered import after
from actium_network.ports import ExistingPort, Network, ObjectKind, PortWish, Routing, Subnet
from actium_shared.ids import derived_id
from actium_shared.line_file import LineFile

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
        self._subnets = {subnet.id: subnet.network_id for network in networks for subnet in network.subnets}
        self._named = LineFile(named_file)
        self._ports: set[str] = set()
        self._routings: dict[tuple[str, str], Routing] = {}

    async def ensure(self) -> None:
        all_named = (msgspec.json.decode(line, type=Named) for line in self._named.lines())
        new = {named.subnet_id: named for named in all_named if named.subnet_id not in self._subnets}
        by_network: dict[str, list[Named]] = {}
        for named in new.values():
            by_network.setdefault(named.network_id, []).append(named)
        for network_id, several in by_network.items():
            self._add(network_id, several)

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
        version = 6 if address and ":" in address else 4
        known = self._networks.get(self._subnets.get(subnet_id, "") if subnet_id else network_id or "")
        if known is not None and (subnet_id or address is None or _has_version(known, version)):
            return None if network_id not in (None, known.id) else known
        network_id = network_id or derived_id("noop", "network of subnet", str(subnet_id))
        named = Named(
            network_id=network_id,
            subnet_id=subnet_id or derived_id("noop", *_words_for_subnet(known, version), network_id),
            version=version,
        )
        self._named.add(msgspec.json.encode(named))
        return self._add(network_id, [named])

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

    async def route(self, routing: Routing, *, timeout_s: float) -> None:  # noqa: ARG002
        self._routings = after(self._routings, routing)

    async def routings(self) -> Sequence[Routing]:
        return list(self._routings.values())

    def _add(self, network_id: str, several: Sequence[Named]) -> Network:
        new = Network(id=network_id, name=network_id, role="tenant", mtu=MTU, subnets=())
        network = self._networks.get(network_id, new)
        subnets = (*network.subnets, *map(_subnet, several))
        self._networks[network_id] = replace(network, subnets=subnets)
        self._subnets.update((named.subnet_id, network_id) for named in several)
        return self._networks[network_id]


def _has_version(network: Network, version: int) -> bool:
    return any(ip_network(subnet.cidr).version == version for subnet in network.subnets)


def _words_for_subnet(known: Network | None, version: int) -> tuple[str, ...]:
    """What the id of a network's subnet that nobody named is made of; the first one's was so before there was a second."""
    return ("subnet of network",) if known is None else (f"IPv{version} subnet of network",)


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
        routed=True,
    )
