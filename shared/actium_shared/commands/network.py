"""What can be asked of the network service: addresses for load balancers and ports for amphorae."""

from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.message import Command, Order, Position, Reply
from actium_shared.wishes import Value, Vip


class AdditionalVip(Value, frozen=True, kw_only=True):
    """One more address, on another subnet of the VIP's network."""

    subnet_id: SubnetId
    address: str | None = None
    port_id: PortId | None = None


class ReserveVip(Command, frozen=True, kw_only=True):
    """
    Take an address for a load balancer that is about to be created; asked by the API before the planner decides.

    Answered by `VipReservation`. The same load balancer asks again: the same answer. At least one of subnet, network
    and port is set.
    """

    TYPE: ClassVar[str] = "vip.reserve"
    SERVICE: ClassVar[str] = "network"
    TARGET: ClassVar[str] = "load_balancer_id"

    load_balancer_id: LoadBalancerId
    project_id: ProjectId
    subnet_id: SubnetId | None = None
    network_id: NetworkId | None = None
    port_id: PortId | None = None
    address: str | None = None
    additional: tuple[AdditionalVip, ...] = ()


class VipReservation(Reply, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "reply.vip-reservation"

    vip: Vip
    position: Position
    additional_vips: tuple[Vip, ...] = ()


class FindSubnet(Command, frozen=True, kw_only=True):
    """Does this subnet exist? Answered by `Accepted`, or `Rejected` with `INVALID`."""

    TYPE: ClassVar[str] = "subnet.find"
    SERVICE: ClassVar[str] = "network"
    TARGET: ClassVar[str] = "subnet_id"

    subnet_id: SubnetId


class FindNetworkObjects(Command, frozen=True, kw_only=True):
    """Do these security groups, and this QoS policy, exist? Answered by `Accepted`, or `Rejected` with `INVALID`."""

    TYPE: ClassVar[str] = "network-objects.find"
    SERVICE: ClassVar[str] = "network"
    TARGET: ClassVar[str] = "load_balancer_id"

    load_balancer_id: LoadBalancerId
    security_group_ids: tuple[str, ...] = ()
    qos_policy_id: str | None = None


class ReleaseVip(Order, frozen=True, kw_only=True):
    """Give the address back; sent by the planner when nothing of the load balancer serves any more."""

    TYPE: ClassVar[str] = "vip.release"
    SERVICE: ClassVar[str] = "network"
    TARGET: ClassVar[str] = "load_balancer_id"

    load_balancer_id: LoadBalancerId

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.load_balancer_id}/1"


class PortWish(Value, frozen=True, kw_only=True):
    """
    One port; without a subnet it is a management port. `id` is minted by the planner.

    `network_id`: the management network that it is to be on; without one, the only or first one that there is.
    """

    id: PortId
    subnet_id: SubnetId | None = None
    network_id: NetworkId | None = None


FINAL_REVISION = 2**31
"""Of the last order about an amphora's ports, the one that clears them."""


class SettlePorts(Order, frozen=True, kw_only=True):
    """
    Make exactly these ports exist for one amphora, and no others.

    `revision` only grows; an older one is ignored. Answered by one commit of port events that `PortsSettled` closes.
    """

    TYPE: ClassVar[str] = "port.settle"
    SERVICE: ClassVar[str] = "network"
    TARGET: ClassVar[str] = "amphora_id"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    revision: int
    ports: tuple[PortWish, ...]

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/{self.revision}"


class SettleRoutes(Order, frozen=True, kw_only=True):
    """
    Have exactly these VIPs routed to an appliance, each to the appliance's own address of the same family.

    Those addresses are taken on the VIPs' subnets when the first VIP of the family comes, and given back with the last of
    all. `revision` only grows; an older one is ignored. Answered by `RoutesSettled`, or `RoutesFailed`.
    """

    TYPE: ClassVar[str] = "route.settle"
    SERVICE: ClassVar[str] = "network"
    TARGET: ClassVar[str] = "appliance_id"

    appliance_id: ApplianceId
    revision: int
    vips: tuple[Vip, ...]

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.appliance_id}/{self.revision}"


COMMANDS = (ReserveVip, FindSubnet, FindNetworkObjects, ReleaseVip, SettlePorts, SettleRoutes)
REPLIES = (VipReservation,)
