"""What is still to do for an appliance: ports, machines, configurations and fences of its amphorae."""

from collections.abc import Iterable, Mapping

from actium_planner.deciders.appliance import (
    AmphoraState,
    ApplianceState,
    Limits,
    Outcome,
    Stage,
    Wishes,
    deadlines,
)
from actium_planner.plans import Plan, management_network
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora, Peer
from actium_shared.commands.network import FINAL_REVISION, PortWish, SettlePorts, SettleRoutes
from actium_shared.ids import ApplianceId
from actium_shared.message import Order

DEFAULT_DRIVER = "haproxy"


def plan(state: ApplianceState, wishes: Wishes, limits: Limits) -> Plan:
    """
    Give the orders that bring every amphora to where the appliance's events say it shall be.

    Ports, boot and configuration are ordered at once: compute waits for what it needs, and no time is lost between.
    """
    if state.id is None or state.retired:
        return Plan()
    orders = [order for amphora in state.ordered() for order in _orders(state.id, state, amphora, wishes, limits)]
    orders += _routes(state.id, state, wishes)
    return Plan(orders=orders, wake_at=min(deadlines(state, wishes, limits), default=None))


def _orders(
    appliance_id: ApplianceId, state: ApplianceState, amphora: AmphoraState, wishes: Wishes, limits: Limits
) -> Iterable[Order]:
    match amphora.stage:
        case Stage.APPOINTED:
            yield _settle(appliance_id, state, amphora, wishes)
            yield _boot(appliance_id, state, amphora, wishes, limits)
            if _shall_be_configured(state, amphora):
                yield _configure(appliance_id, state, amphora, wishes, limits)
        case Stage.JOINED:
            if amphora.trimming or amphora.ports != amphora.plugged or (amphora.spare and not amphora.settled):
                yield _settle(appliance_id, state, amphora, wishes)
            if _shall_be_configured(state, amphora):
                yield _configure(appliance_id, state, amphora, wishes, limits)
        case Stage.DISMISSED if amphora.at_large and amphora.joined and _goes_on(state, wishes):
            yield FenceAmphora(amphora_id=amphora.id, appliance_id=appliance_id)
        case Stage.DISMISSED:
            yield DeleteAmphora(amphora_id=amphora.id, appliance_id=appliance_id)
        case Stage.SHUT_DOWN:
            yield SettlePorts(amphora_id=amphora.id, appliance_id=appliance_id, revision=FINAL_REVISION, ports=())


def _routes(appliance_id: ApplianceId, state: ApplianceState, wishes: Wishes) -> list[Order]:
    routing = state.routing
    if routing.settled or routing.missing == routing.wished:
        return []
    carried = [wishes[lb_id].load_balancer for lb_id in state.load_balancers]
    vips = [vip for each in carried if each is not None for vip in (each.vip, *each.additional_vips)]
    return [SettleRoutes(appliance_id=appliance_id, revision=routing.wished, vips=tuple(vips))]


def _goes_on(state: ApplianceState, wishes: Wishes) -> bool:
    """Say whether anybody is to take over from an amphora that goes; else its deletion is enough."""
    return any(not wishes[lb_id].deleting for lb_id in state.load_balancers)


def _shall_be_configured(state: ApplianceState, amphora: AmphoraState) -> bool:
    bundle = state.bundle
    wanted = amphora.id in bundle.members and amphora.in_force < bundle.number
    return wanted and bundle.outcome is not Outcome.FAILED and not state.withheld(amphora)


def _boot(
    appliance_id: ApplianceId, state: ApplianceState, amphora: AmphoraState, wishes: Wishes, limits: Limits
) -> BootAmphora:
    return BootAmphora(
        amphora_id=amphora.id,
        appliance_id=appliance_id,
        image_tag=amphora.image_tag,
        management_port_id=amphora.management_port_id,
        vip_port_id=amphora.vip_port_id,
        deadline_s=limits.boot_s,
        avoid_hosts=amphora.avoid_hosts,
        # Where the partner's host is known it is avoided by name: the hosts of those who go are free for others.
        group=appliance_id if amphora.grouped else "",
        # What did not come or stay may have its cause there: another try had better be elsewhere.
        prefer_not_hosts=tuple(sorted({gone.host for gone in state.ordered() if gone.host and not gone.serves})),
        driver=_driver(state),
        compute_flavor=_text(state.flavor, "compute_flavor"),
        compute_zone=_text(_zone_data(state, wishes), "compute_zone"),
    )


def _driver(state: ApplianceState) -> str:
    return _text(state.flavor, "amphora_driver") or DEFAULT_DRIVER


def _zone_data(state: ApplianceState, wishes: Wishes) -> Mapping[str, object]:
    """Give the zone's data; all that are carried here are in the same one."""
    balancers = [wishes[lb_id].load_balancer for lb_id in state.load_balancers]
    return next((balancer.availability_zone_data for balancer in balancers if balancer is not None), {})


def _text(data: Mapping[str, object], key: str) -> str | None:
    value = data.get(key)
    return None if value is None else str(value)


def _settle(appliance_id: ApplianceId, state: ApplianceState, amphora: AmphoraState, wishes: Wishes) -> SettlePorts:
    members = [PortWish(id=amphora.port_in(subnet_id), subnet_id=subnet_id) for subnet_id in sorted(amphora.ports)]
    return SettlePorts(
        amphora_id=amphora.id,
        appliance_id=appliance_id,
        revision=amphora.ports_revision,
        ports=(
            PortWish(id=amphora.management_port_id, network_id=management_network(_zone_data(state, wishes))),
            PortWish(id=amphora.vip_port_id, subnet_id=amphora.vip_subnet_id),
            *members,
        ),
    )


def _configure(
    appliance_id: ApplianceId, state: ApplianceState, amphora: AmphoraState, wishes: Wishes, limits: Limits
) -> ConfigureAmphora:
    bundle, subnets = state.bundle, state.bundle.member_subnets
    carried = {lb_id: wishes[lb_id] for lb_id in sorted(bundle.holds) if lb_id in wishes}
    held = [wish.at(bundle.holds[lb_id]).wish() for lb_id, wish in carried.items() if wish.load_balancer]
    return ConfigureAmphora(
        amphora_id=amphora.id,
        appliance_id=appliance_id,
        bundle=bundle.number,
        epoch=bundle.epoch,
        role=amphora.role,
        vip_port_id=amphora.vip_port_id,
        load_balancers=tuple(held),
        member_ports={subnet_id: amphora.port_in(subnet_id) for subnet_id in sorted(subnets)},
        peers=tuple(_peers(state, amphora)),
        holds_vips=state.is_pair or bundle.holder == amphora.id,
        yields=amphora.id in bundle.yielding,
        advert_interval_ms=int(str(state.flavor.get("vrrp_advertisement_interval_ms", limits.advert_interval_ms))),
        driver=_driver(state),
        front_end="L3" if state.is_routed else "L2",
        routing_addresses=bundle.routing or (),
        rank=_rank(state, amphora) if state.is_pair else None,
    )


def _rank(state: ApplianceState, amphora: AmphoraState) -> int:
    """Count those who have been of the pair for longer; who began together go by their roles."""
    known = [state.amphorae[each] for each in state.bundle.members if each in state.amphorae]
    ahead = [_seniority(state, other) < _seniority(state, amphora) for other in known]
    return sum(ahead)


def _seniority(state: ApplianceState, amphora: AmphoraState) -> tuple[int, int, str]:
    order = state.roles.index(amphora.role) if amphora.role in state.roles else len(state.roles)
    return amphora.first, order, amphora.id


def _peers(state: ApplianceState, amphora: AmphoraState) -> Iterable[Peer]:
    for amphora_id in sorted(state.bundle.members) if state.is_pair else ():
        peer = state.amphorae.get(amphora_id)
        if peer is not None and peer.id != amphora.id:
            yield Peer(amphora_id=peer.id, vip_port_id=peer.vip_port_id)
