"""What is still to do for an appliance: ports, machines and configurations of its amphorae."""

from collections.abc import Iterable

from msgspec.structs import replace

from actium_planner.deciders.appliance import (
    FINAL_REVISION,
    AmphoraState,
    ApplianceState,
    Limits,
    Outcome,
    Stage,
    Wishes,
    deadlines,
)
from actium_planner.plans import Plan
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora
from actium_shared.commands.network import PortWish, SettlePorts
from actium_shared.ids import ApplianceId, SubnetId
from actium_shared.message import Order
from actium_shared.wishes import LoadBalancerWish

FIRST_EPOCH = 1


def plan(state: ApplianceState, wishes: Wishes, limits: Limits) -> Plan:
    """
    Give the orders that bring every amphora to where the appliance's events say it shall be.

    Ports, boot and configuration are ordered at once: compute waits for what it needs, and no time is lost between.
    """
    if state.id is None or state.retired:
        return Plan()
    orders = [order for amphora in state.ordered() for order in _orders(state.id, state, amphora, wishes, limits)]
    return Plan(orders=orders, wake_at=min(deadlines(state, wishes), default=None))


def _orders(
    appliance_id: ApplianceId, state: ApplianceState, amphora: AmphoraState, wishes: Wishes, limits: Limits
) -> Iterable[Order]:
    match amphora.stage:
        case Stage.APPOINTED:
            yield _settle(appliance_id, amphora)
            yield BootAmphora(
                amphora_id=amphora.id,
                appliance_id=appliance_id,
                image_tag=state.image_tag,
                management_port_id=amphora.management_port_id,
                vip_port_id=amphora.vip_port_id,
                deadline_s=limits.boot_s,
            )
            yield _configure(appliance_id, state, amphora, wishes)
        case Stage.JOINED:
            if amphora.trimming or amphora.ports != amphora.plugged:
                yield _settle(appliance_id, amphora)
            if amphora.in_force < state.bundle.number and state.bundle.outcome is not Outcome.FAILED:
                yield _configure(appliance_id, state, amphora, wishes)
        case Stage.DISMISSED:
            yield DeleteAmphora(amphora_id=amphora.id, appliance_id=appliance_id)
        case Stage.SHUT_DOWN:
            yield SettlePorts(amphora_id=amphora.id, appliance_id=appliance_id, revision=FINAL_REVISION, ports=())


def _settle(appliance_id: ApplianceId, amphora: AmphoraState) -> SettlePorts:
    members = [PortWish(id=amphora.port_in(subnet_id), subnet_id=subnet_id) for subnet_id in sorted(amphora.ports)]
    return SettlePorts(
        amphora_id=amphora.id,
        appliance_id=appliance_id,
        revision=amphora.ports_revision,
        ports=(
            PortWish(id=amphora.management_port_id),
            PortWish(id=amphora.vip_port_id, subnet_id=amphora.vip_subnet_id),
            *members,
        ),
    )


def _configure(
    appliance_id: ApplianceId, state: ApplianceState, amphora: AmphoraState, wishes: Wishes
) -> ConfigureAmphora:
    # A wish newer than the bundle's may slip in: it is then applied early and counted with the next bundle. Members on
    # a subnet that this bundle has no port for wait for that next one.
    subnets = state.bundle.member_subnets
    held = [wishes[lb_id] for lb_id in sorted(state.bundle.holds) if lb_id in wishes]
    return ConfigureAmphora(
        amphora_id=amphora.id,
        appliance_id=appliance_id,
        bundle=state.bundle.number,
        epoch=FIRST_EPOCH,
        role=amphora.role,
        vip_port_id=amphora.vip_port_id,
        load_balancers=tuple(_reachable(wish.wish(), subnets) for wish in held if wish.load_balancer is not None),
        member_ports={subnet_id: amphora.port_in(subnet_id) for subnet_id in sorted(subnets)},
    )


def _reachable(wish: LoadBalancerWish, subnets: frozenset[SubnetId]) -> LoadBalancerWish:
    """Give the wish without members that no port leads to."""
    known = {None, wish.load_balancer.vip.subnet_id, *subnets}
    if all(member.subnet_id in known for pool in wish.pools for member in pool.members):
        return wish
    pools = tuple(
        replace(pool, members=tuple(member for member in pool.members if member.subnet_id in known))
        for pool in wish.pools
    )
    return replace(wish, pools=pools)
