"""
What routes may ask of whoever serves a load balancer: octavia-lib's interface, and more than it: our objects have tags,
and every call tells who wishes it.

Here objects become commands, each with the whole wish; what is done with a command is the driver's matter.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from msgspec import structs

from actium_api.access.callers import Caller
from actium_shared.commands import planner as commands
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.ids import (
    HealthMonitorId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    PoolId,
    PortId,
    SubnetId,
)
from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7PolicyWish,
    L7Rule,
    Listener,
    LoadBalancer,
    Member,
    Pool,
    PoolWish,
    Vip,
)

NO_ADDRESS = Vip(address="", prefix_length=0, port_id=PortId(""), subnet_id=SubnetId(""), network_id=NetworkId(""))
"""Of a load balancer whose VIP nobody has given yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLoadBalancer:
    """A load balancer to be made, with all that shall be in it; its driver gives the addresses."""

    load_balancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[PoolWish, ...] = ()
    l7_policies: tuple[L7PolicyWish, ...] = ()

    def at(self, reserved: VipReservation) -> Self:
        """Give the same with its addresses."""
        vips: Mapping[str, Any] = {"vip": reserved.vip, "additional_vips": reserved.additional_vips}
        return dataclasses.replace(self, load_balancer=structs.replace(self.load_balancer, **vips))

    def command(self) -> commands.CreateLoadBalancer:
        return commands.CreateLoadBalancer(
            load_balancer_id=self.load_balancer.id,
            load_balancer=self.load_balancer,
            listeners=self.listeners,
            pools=self.pools,
            l7_policies=self.l7_policies,
        )


class Driver(ABC):
    """
    Serves load balancers. Every call returns when the read model shows what it did.

    All raise Fault: what is asked is not allowed, not supported, or its outcome is unknown.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    async def carry_out(self, command: LoadBalancerCommand, *, caller: Caller) -> None:
        """Have done what the command says."""

    @abstractmethod
    async def create_vip_port(self, wish: ReserveVip, *, caller: Caller) -> VipReservation:
        """Give the addresses of a load balancer that is about to be made."""

    @abstractmethod
    async def validate_flavor(self, data: Mapping[str, object]) -> None:
        """Refuse data of a flavor that this driver does not understand."""

    @abstractmethod
    async def validate_availability_zone(self, data: Mapping[str, object]) -> None:
        """Refuse data of an availability zone that this driver does not understand."""

    @abstractmethod
    async def get_supported_flavor_metadata(self) -> Mapping[str, str]:
        """Give what may stand in a flavor's data, with a description each."""

    @abstractmethod
    async def get_supported_availability_zone_metadata(self) -> Mapping[str, str]:
        """Give what may stand in an availability zone's data, with a description each."""

    # -- load balancers

    async def loadbalancer_create(self, new: NewLoadBalancer, vip: ReserveVip, *, caller: Caller) -> None:
        """Make it, with addresses as `vip` wishes them."""
        reserved = await self.create_vip_port(vip, caller=caller)
        await self.carry_out(new.at(reserved).command(), caller=caller)

    async def loadbalancer_update(
        self, of: LoadBalancerId, changes: commands.LoadBalancerChanges, *, caller: Caller
    ) -> None:
        await self.carry_out(commands.UpdateLoadBalancer(load_balancer_id=of, changes=changes), caller=caller)

    async def loadbalancer_delete(self, of: LoadBalancerId, *, cascade: bool, caller: Caller) -> None:
        await self.carry_out(commands.DeleteLoadBalancer(load_balancer_id=of, cascade=cascade), caller=caller)

    async def loadbalancer_failover(self, of: LoadBalancerId, *, caller: Caller) -> None:
        await self.carry_out(commands.FailOverLoadBalancer(load_balancer_id=of), caller=caller)

    # -- listeners

    async def listener_create(self, of: LoadBalancerId, listener: Listener, *, caller: Caller) -> None:
        await self.carry_out(commands.CreateListener(load_balancer_id=of, listener=listener), caller=caller)

    async def listener_update(
        self, of: LoadBalancerId, listener_id: ListenerId, *, changes: commands.ListenerChanges, caller: Caller
    ) -> None:
        command = commands.UpdateListener(load_balancer_id=of, listener_id=listener_id, changes=changes)
        await self.carry_out(command, caller=caller)

    async def listener_delete(self, of: LoadBalancerId, listener_id: ListenerId, *, caller: Caller) -> None:
        await self.carry_out(commands.DeleteListener(load_balancer_id=of, listener_id=listener_id), caller=caller)

    # -- pools and what is in them

    async def pool_create(
        self, of: LoadBalancerId, pool: Pool, *, listener_id: ListenerId | None, caller: Caller
    ) -> None:
        command = commands.CreatePool(load_balancer_id=of, pool=pool, listener_id=listener_id)
        await self.carry_out(command, caller=caller)

    async def pool_update(
        self, of: LoadBalancerId, pool_id: PoolId, *, changes: commands.PoolChanges, caller: Caller
    ) -> None:
        await self.carry_out(commands.UpdatePool(load_balancer_id=of, pool_id=pool_id, changes=changes), caller=caller)

    async def pool_delete(self, of: LoadBalancerId, pool_id: PoolId, *, caller: Caller) -> None:
        await self.carry_out(commands.DeletePool(load_balancer_id=of, pool_id=pool_id), caller=caller)

    async def member_create(self, of: LoadBalancerId, member: Member, *, pool_id: PoolId, caller: Caller) -> None:
        await self.carry_out(commands.CreateMember(load_balancer_id=of, pool_id=pool_id, member=member), caller=caller)

    async def member_update(
        self,
        of: LoadBalancerId,
        member_id: MemberId,
        *,
        pool_id: PoolId,
        changes: commands.MemberChanges,
        caller: Caller,
    ) -> None:
        command = commands.UpdateMember(load_balancer_id=of, pool_id=pool_id, member_id=member_id, changes=changes)
        await self.carry_out(command, caller=caller)

    async def member_delete(self, of: LoadBalancerId, member_id: MemberId, *, pool_id: PoolId, caller: Caller) -> None:
        command = commands.DeleteMember(load_balancer_id=of, pool_id=pool_id, member_id=member_id)
        await self.carry_out(command, caller=caller)

    async def member_batch_update(
        self,
        of: LoadBalancerId,
        pool_id: PoolId,
        *,
        members: Sequence[commands.BatchMember],
        additive_only: bool,
        caller: Caller,
    ) -> None:
        command = commands.ReplaceMembers(
            load_balancer_id=of, pool_id=pool_id, members=tuple(members), additive_only=additive_only
        )
        await self.carry_out(command, caller=caller)

    async def health_monitor_create(
        self, of: LoadBalancerId, monitor: HealthMonitor, *, pool_id: PoolId, caller: Caller
    ) -> None:
        command = commands.CreateHealthMonitor(load_balancer_id=of, pool_id=pool_id, health_monitor=monitor)
        await self.carry_out(command, caller=caller)

    async def health_monitor_update(
        self,
        of: LoadBalancerId,
        monitor_id: HealthMonitorId,
        *,
        pool_id: PoolId,
        changes: commands.HealthMonitorChanges,
        caller: Caller,
    ) -> None:
        command = commands.UpdateHealthMonitor(
            load_balancer_id=of, pool_id=pool_id, health_monitor_id=monitor_id, changes=changes
        )
        await self.carry_out(command, caller=caller)

    async def health_monitor_delete(
        self, of: LoadBalancerId, monitor_id: HealthMonitorId, *, pool_id: PoolId, caller: Caller
    ) -> None:
        command = commands.DeleteHealthMonitor(load_balancer_id=of, pool_id=pool_id, health_monitor_id=monitor_id)
        await self.carry_out(command, caller=caller)

    # -- L7 policies and rules

    async def l7policy_create(self, of: LoadBalancerId, policy: L7Policy, *, caller: Caller) -> None:
        await self.carry_out(commands.CreateL7Policy(load_balancer_id=of, l7_policy=policy), caller=caller)

    async def l7policy_update(
        self, of: LoadBalancerId, policy_id: L7PolicyId, *, changes: commands.L7PolicyChanges, caller: Caller
    ) -> None:
        command = commands.UpdateL7Policy(load_balancer_id=of, l7_policy_id=policy_id, changes=changes)
        await self.carry_out(command, caller=caller)

    async def l7policy_delete(self, of: LoadBalancerId, policy_id: L7PolicyId, *, caller: Caller) -> None:
        await self.carry_out(commands.DeleteL7Policy(load_balancer_id=of, l7_policy_id=policy_id), caller=caller)

    async def l7rule_create(self, of: LoadBalancerId, rule: L7Rule, *, policy_id: L7PolicyId, caller: Caller) -> None:
        command = commands.CreateL7Rule(load_balancer_id=of, l7_policy_id=policy_id, l7_rule=rule)
        await self.carry_out(command, caller=caller)

    async def l7rule_update(
        self,
        of: LoadBalancerId,
        rule_id: L7RuleId,
        *,
        policy_id: L7PolicyId,
        changes: commands.L7RuleChanges,
        caller: Caller,
    ) -> None:
        command = commands.UpdateL7Rule(
            load_balancer_id=of, l7_policy_id=policy_id, l7_rule_id=rule_id, changes=changes
        )
        await self.carry_out(command, caller=caller)

    async def l7rule_delete(
        self, of: LoadBalancerId, rule_id: L7RuleId, *, policy_id: L7PolicyId, caller: Caller
    ) -> None:
        command = commands.DeleteL7Rule(load_balancer_id=of, l7_policy_id=policy_id, l7_rule_id=rule_id)
        await self.carry_out(command, caller=caller)
