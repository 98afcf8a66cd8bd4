"""
What exists to attach to, and the addresses and ports taken from it: written by the network service.

Four aggregates: `network` (by network id), `vip` (by load balancer id), `port` (by amphora id: all ports of one amphora),
`route` (by appliance id: all VIPs that are routed to it).
Field names are the storage format.
"""

from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.message import Event
from actium_shared.wishes import Value, Vip


class Subnet(Value, frozen=True, kw_only=True):
    """A range of a network. `pool_*` bound what is handed out automatically."""

    id: SubnetId
    name: str
    network_id: NetworkId
    cidr: str
    gateway: str | None = None
    pool_start: str | None = None
    pool_end: str | None = None


class Network(Value, frozen=True, kw_only=True):
    """
    Something to attach to. `role`: management, vip or tenant; it guides people, only management is special.

    `routed`: a router is on it, which can lead VIPs to amphorae; None where nobody has said so yet.
    """

    id: NetworkId
    name: str
    role: str
    mtu: int
    subnets: tuple[Subnet, ...]
    routed: bool | None = None


class Port(Value, frozen=True, kw_only=True):
    """An interface's end in the fabric, with the address that is its own."""

    id: PortId
    network_id: NetworkId
    subnet_id: SubnetId
    address: str
    prefix_length: int
    mac: str
    mtu: int
    gateway: str | None = None


class NetworkDiscovered(Event, frozen=True, kw_only=True):
    """Seen for the first time, or seen changed: the whole new value."""

    TYPE: ClassVar[str] = "network.discovered"

    network: Network


class NetworkVanished(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "network.vanished"

    network_id: NetworkId


class VipReserved(Event, frozen=True, kw_only=True):
    """The address is this load balancer's, before the load balancer is decided on; lapses when it never is."""

    TYPE: ClassVar[str] = "vip.reserved"

    load_balancer_id: LoadBalancerId
    project_id: ProjectId
    vip: Vip
    additional_vips: tuple[Vip, ...] = ()


class VipReleased(Event, frozen=True, kw_only=True):
    """`reason`: deleted (asked by the planner) or lapsed (the load balancer was never created)."""

    TYPE: ClassVar[str] = "vip.released"

    load_balancer_id: LoadBalancerId
    reason: str


class PortCreated(Event, frozen=True, kw_only=True):
    """The fabric end stands; compute may attach it."""

    TYPE: ClassVar[str] = "port.created"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    port: Port


class PortFailed(Event, frozen=True, kw_only=True):
    """The port cannot be had; `reason` is for people ("out of addresses in subnet ...")."""

    TYPE: ClassVar[str] = "port.failed"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    port_id: PortId
    reason: str


class PortDeleted(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "port.deleted"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    port_id: PortId


class PortsSettled(Event, frozen=True, kw_only=True):
    """Exactly the wished ports exist for the amphora, as far as they can: closes the commit that answers an order."""

    TYPE: ClassVar[str] = "port.settled"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    revision: int


class PortStrayRemoved(Event, frozen=True, kw_only=True):
    """A port that nobody ordered was found and removed; of a half-made one, `port_id` is what the world calls it."""

    TYPE: ClassVar[str] = "port.stray-removed"

    port_id: PortId


class RoutingAddress(Value, frozen=True, kw_only=True):
    """The address on the VIPs' network that an appliance's VIPs of one family are routed to; an amphora at a time has it."""

    address: str
    prefix_length: int
    port_id: PortId
    subnet_id: SubnetId
    network_id: NetworkId


class RoutesSettled(Event, frozen=True, kw_only=True):
    """Exactly these VIPs are routed to the appliance; where there are none it has no routing address any more."""

    TYPE: ClassVar[str] = "route.settled"

    appliance_id: ApplianceId
    revision: int
    vips: tuple[Vip, ...] = ()
    routing_addresses: tuple[RoutingAddress, ...] = ()


class RoutesFailed(Event, frozen=True, kw_only=True):
    """The routes cannot be had, and stay as they were; `reason` is for people ("no router is on network ...")."""

    TYPE: ClassVar[str] = "route.failed"

    appliance_id: ApplianceId
    revision: int
    reason: str


class RoutesStrayRemoved(Event, frozen=True, kw_only=True):
    """Addresses that were routed to `via` though nobody ordered that, and are no more."""

    TYPE: ClassVar[str] = "route.stray-removed"

    network_id: NetworkId
    via: str
    addresses: tuple[str, ...]


EVENTS = (
    NetworkDiscovered,
    NetworkVanished,
    VipReserved,
    VipReleased,
    PortCreated,
    PortFailed,
    PortDeleted,
    PortsSettled,
    PortStrayRemoved,
    RoutesSettled,
    RoutesFailed,
    RoutesStrayRemoved,
)
