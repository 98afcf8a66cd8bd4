"""Rollouts by their names, and a world with amphorae of an old image for them."""

from collections.abc import Sequence
from dataclasses import replace

import builders as a
from actium_planner.deciders.appliance import Limits
from actium_planner.deciders.rollout import RolloutState
from actium_shared.commands import planner as commands
from actium_shared.events.rollout import RolloutEvent
from actium_shared.ids import LoadBalancerId, PortId, RolloutId
from actium_shared.rollouts import Selection
from unit.planner.logs import log_of
from unit.planner.world import World

ROLLOUT, OTHER = RolloutId(a.an_id("rollout")), RolloutId(a.an_id("other rollout"))
OLD = Selection(image_tag="old")


def start(**fields: object) -> commands.StartRollout:
    return commands.StartRollout(**({"rollout_id": ROLLOUT, "selection": OLD} | fields))  # type: ignore[arg-type]


def types(happened: Sequence[RolloutEvent]) -> list[str]:
    return [event.TYPE.removeprefix("rollout.") for event in happened]


def lb(number: int) -> LoadBalancerId:
    return LoadBalancerId(a.an_id(f"lb-{number}"))


async def fleet_of(*topologies: str, spares: int = 0) -> World:
    """Give a world with an appliance each that boot from `old`, now that new ones boot from `new`."""
    world = World(limits=Limits(image_tag="old", spare_pool_size=spares), hosts=("h1", "h2", "h3", "h4"))
    for number, topology in enumerate(topologies):
        vip = a.vip(port_id=PortId(f"vip-{number}"), address=f"203.0.113.{number + 10}")
        flavor = {"loadbalancer_topology": topology}
        await world.ask(a.create_load_balancer(id=lb(number), vip=vip, flavor=flavor))
    await world.settle()
    world.limits = replace(world.limits, image_tag="new")
    await world.restart()
    await world.settle()
    return world


def images(world: World) -> list[str]:
    return sorted(boot.image_tag for _, boot in world.machines.values())


def state_of(world: World, rollout_id: RolloutId = ROLLOUT) -> RolloutState:
    return world.states.rollouts.state(rollout_id)


async def told(world: World) -> list[RolloutEvent]:
    log = await log_of(world, "EVENTS_PLANNER")
    return [event for item in log if item.aggregate == "rollout" for event in item.commit.events]  # type: ignore[misc]
