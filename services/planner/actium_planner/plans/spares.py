"""What is still to do for a pool of spares: machines that wait, each with a management port and nothing else."""

from collections.abc import Iterable

from actium_planner.deciders.spares import Limits, SparesState, SpareState, Stage, deadlines
from actium_planner.plans import Plan, management_network
from actium_shared.commands.compute import BootAmphora, DeleteAmphora
from actium_shared.commands.network import FINAL_REVISION, PortWish, SettlePorts
from actium_shared.ids import ApplianceId, SparesId
from actium_shared.message import Order

FIRST_REVISION = 1
"""Whoever is handed a spare goes on from the next."""

DEFAULT_DRIVER = "haproxy"


def plan(state: SparesState, limits: Limits) -> Plan:
    """Give the orders that bring every spare to where the pool's events say it shall be."""
    if state.id is None:
        return Plan()
    orders = [order for spare in state.ordered(*Stage) for order in _orders(state.id, state, spare, limits)]
    return Plan(orders=orders, wake_at=min(deadlines(state), default=None))


def _orders(spares_id: SparesId, state: SparesState, spare: SpareState, limits: Limits) -> Iterable[Order]:
    appliance_id = ApplianceId(spares_id)  # until an appliance gives it orders, the pool is its appliance
    match spare.stage:
        case Stage.APPOINTED:
            ports = (
                PortWish(id=spare.management_port_id, network_id=management_network(state.availability_zone_data)),
            )
            yield SettlePorts(amphora_id=spare.id, appliance_id=appliance_id, revision=FIRST_REVISION, ports=ports)
            yield _boot(appliance_id, state, spare, limits)
        case Stage.DISMISSED:
            yield DeleteAmphora(amphora_id=spare.id, appliance_id=appliance_id)
        case Stage.SHUT_DOWN:
            yield SettlePorts(amphora_id=spare.id, appliance_id=appliance_id, revision=FINAL_REVISION, ports=())


def _boot(appliance_id: ApplianceId, state: SparesState, spare: SpareState, limits: Limits) -> BootAmphora:
    compute_flavor, compute_zone = state.flavor.get("compute_flavor"), state.availability_zone_data.get("compute_zone")
    return BootAmphora(
        amphora_id=spare.id,
        appliance_id=appliance_id,
        image_tag=spare.image_tag,
        management_port_id=spare.management_port_id,
        deadline_s=limits.boot_s,
        prefer_not_hosts=spare.avoid_hosts,
        spread=appliance_id,
        driver=str(state.flavor.get("amphora_driver", DEFAULT_DRIVER)),
        compute_flavor=None if compute_flavor is None else str(compute_flavor),
        compute_zone=None if compute_zone is None else str(compute_zone),
    )
