"""What the network service needs from a world: networks to attach to, and ports on them. Adapters are in `adapters`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

ObjectKind = Literal["security group", "QoS policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """
    A range of a network; `pool_start` to `pool_end` are for automatic assignment, both included.

    `routed`: its gateway leads to all other routed subnets. `controller` and `host`: the
    services' and the host's own addresses in it.
    """

    id: str
    name: str
    network_id: str
    cidr: str
    pool_start: str
    pool_end: str
    gateway: str | None = None
    routed: bool = False
    controller: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Something that ports attach to; `role` is management, vip or tenant."""

    id: str
    name: str
    role: str
    mtu: int
    subnets: tuple[Subnet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortWish:
    """A port as it shall be. `address` is what its machine will use, for worlds that have to know."""

    port_id: str
    network_id: str
    mac: str
    address: str | None
    prefix_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingPort:
    """A port that somebody else made, and the address that it has."""

    port_id: str
    network_id: str
    subnet_id: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Addresses on a network that the router leads to one of its neighbours, `via`."""

    network_id: str
    via: str
    addresses: tuple[str, ...]


class NetworkDriver(Protocol):
    """
    Networks and ports of one world.

    Every call may be repeated, also after a process was killed in the midst of it: what is there is kept, what is
    missing is made. All raise `RetryableError` when the world does not answer or its deadline passes.
    """

    async def ensure(self) -> None:
        """Make what all networks stand on, as far as it is this service's to make."""
        ...

    async def networks(self) -> Sequence[Network]:
        """Give all networks with their subnets, in a stable order."""
        ...

    async def find(
        self, *, network_id: str | None, subnet_id: str | None, address: str | None = None, timeout_s: float
    ) -> Network | None:
        """
        Give the one network that is meant, with all its subnets; one that was made since `networks` was asked, too.

        None where there is none, or it does not have that subnet. `address` is what somebody wishes for in it.
        """
        ...

    async def find_port(self, port_id: str, *, timeout_s: float) -> ExistingPort | None:
        """Give a port that is not of our making, None where there is none."""
        ...

    async def has_object(self, kind: ObjectKind, object_id: str, *, timeout_s: float) -> bool:
        """Tell whether there is such a thing."""
        ...

    async def create_port(self, port: PortWish, *, timeout_s: float) -> None:
        """
        Make the port exist, ready to be attached; one that stands already is not touched, not even its link state.

        Raises:
            RetryableError: not done in time.
            PermanentError: the network is unknown, or a field makes no sense; the message names it.
        """
        ...

    async def delete_port(self, port_id: str, *, timeout_s: float) -> None:
        """Make the port not exist, attached or not."""
        ...

    async def ports(self) -> Sequence[str]:
        """Give the ids of the ports that exist, half-made ones included under whatever `delete_port` understands."""
        ...

    async def route(self, routing: Routing, *, timeout_s: float) -> None:
        """
        Have the router lead exactly these addresses to `via`, and whoever is on the network, too; none: forget `via`.

        An address that was led elsewhere is led here from now on.

        Raises:
            RetryableError: not done in time.
            PermanentError: no router is on the network, or a field makes no sense; the message names it.
        """
        ...

    async def routings(self) -> Sequence[Routing]:
        """Give what is routed so, none of them without addresses."""
        ...
