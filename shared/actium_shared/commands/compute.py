"""What can be asked of compute: to boot, configure and delete amphorae. Sent by the planner on the COMMANDS stream."""

from collections.abc import Mapping
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, PortId, SubnetId
from actium_shared.message import Order
from actium_shared.wishes import LoadBalancerWish


class AmphoraOrder(Order, frozen=True, kw_only=True):
    """Base of this module's orders."""

    SERVICE: ClassVar[str] = "compute"
    TARGET: ClassVar[str] = "amphora_id"

    amphora_id: AmphoraId
    appliance_id: ApplianceId


class BootAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """
    Make the machine exist and its agent answer.

    Compute waits until the network service has made the ports named here. An amphora boots once: a second try is
    another amphora.
    """

    TYPE: ClassVar[str] = "amphora.boot"

    image_tag: str
    management_port_id: PortId
    vip_port_id: PortId
    deadline_s: float
    avoid_hosts: tuple[str, ...] = ()

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/1"


class ConfigureAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """
    Make one amphora serve exactly this configuration.

    Complete and final: everything to render is in it, and only numbers grow: an amphora refuses any bundle or epoch
    below the last that it applied. `member_ports`: which port leads to which member subnet; `vip_port_id` leads to the
    VIPs. Ports are attached when they exist, and detached when they are no longer named.
    """

    TYPE: ClassVar[str] = "amphora.configure"

    bundle: int
    epoch: int
    role: str
    vip_port_id: PortId
    load_balancers: tuple[LoadBalancerWish, ...]
    member_ports: Mapping[SubnetId, PortId] = {}

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/{self.epoch}.{self.bundle}"


class DeleteAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """Make nothing of it exist, whether it ever booted or not; no other order is followed after this one."""

    TYPE: ClassVar[str] = "amphora.delete"

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/1"


COMMANDS = (BootAmphora, ConfigureAmphora, DeleteAmphora)
