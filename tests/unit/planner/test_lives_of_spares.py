"""Pools of spares in whole lives: load balancers that take them, planners that come back, flavors."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders.appliance import Limits
from actium_planner.deciders.spares import Stage, pool_id
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.message import Accepted
from unit.planner.spare_pools import POOL, POOLS
from unit.planner.world import World


async def a_world_with_spares(size: int) -> World:
    world = World(limits=Limits(spare_pool_size=size))
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)
    await world.settle()
    return world


def ready(world: World) -> list[str]:
    return [spare.host for spare in world.states.spares.state(POOL).ordered(Stage.READY)]


async def test_the_first_load_balancer_brings_the_pool_and_its_spares_are_spread() -> None:
    world = await a_world_with_spares(3)
    assert sorted(ready(world)) == ["host-1", "host-2", "host-3"]


async def test_without_a_size_nothing_extra_exists() -> None:
    world = await a_world_with_spares(0)
    assert len(world.machines) == 1
    assert not list(world.states.spares)


async def test_more_spares_than_hosts_wedge_nothing() -> None:
    world = World(limits=Limits(spare_pool_size=5), hosts=("host-1", "host-2"))
    await world.ask(a.create_load_balancer())
    await world.settle()
    assert len(ready(world)) == 5


async def test_a_spare_takes_the_place_of_one_that_is_lost_and_the_pool_is_full_again() -> None:
    world = await a_world_with_spares(1)
    (spare,) = world.states.spares.state(POOL).waiting()
    (serving,) = world.appliance(a.LB).serving()
    await world.lost(serving.id)
    await world.settle()
    assert [amphora.id for amphora in world.appliance(a.LB).serving()] == [spare.id]
    assert world.configured[spare.id].appliance_id == world.appliance(a.LB).id
    assert len(ready(world)) == 1
    assert not world.load_balancer(a.LB).pending


async def test_what_was_a_spare_is_replaced_when_it_is_lost_under_its_old_name() -> None:
    world = await a_world_with_spares(1)
    (serving,) = world.appliance(a.LB).serving()
    await world.lost(serving.id)
    await world.settle()
    (second,) = world.appliance(a.LB).serving()
    assert world.machines[second.id][1].appliance_id == POOLS
    await world.lost(second.id)
    await world.settle()
    assert second.id not in [amphora.id for amphora in world.appliance(a.LB).serving()]
    assert len(world.appliance(a.LB).serving()) == 1
    assert len(ready(world)) == 1


async def test_spares_that_are_lost_or_removed_are_made_anew() -> None:
    world = await a_world_with_spares(2)
    first, second = world.states.spares.state(POOL).waiting()
    await world.lost(first.id)
    removal = commands.RemoveAmphora(appliance_id=POOLS, amphora_id=second.id)
    assert isinstance(await world.ask(removal), Accepted)
    await world.settle()
    assert len(ready(world)) == 2
    assert {first.id, second.id}.isdisjoint(world.machines)


async def test_a_planner_that_comes_back_with_other_settings_resizes_and_replaces() -> None:
    world = await a_world_with_spares(1)
    world.limits = Limits(spare_pool_size=2, image_tag="v2")
    await world.restart()
    await world.settle()
    assert len(ready(world)) == 2
    pool = [order for _, order in world.machines.values() if order.appliance_id == POOLS]
    assert {order.image_tag for order in pool} == {"v2"}


async def test_a_pool_follows_its_flavor_and_ends_with_it() -> None:
    world = World()
    profile = FlavorProfile(
        id=a.an_id("profile"),
        name="p",
        provider_name="actium",
        flavor_data='{"spare_pool_size": 2, "amp_image_tag": "tried"}',
    )
    flavor = Flavor(id=a.an_id("flavor"), name="f", description="", enabled=True, flavor_profile_id=profile.id)
    await world.ask(commands.CreateFlavorProfile(flavor_profile=profile))
    await world.ask(commands.CreateFlavor(flavor=flavor))
    await world.ask(a.create_load_balancer(flavor_id=flavor.id))
    await world.settle()
    pool = world.states.spares.state(pool_id(flavor.id, None))
    assert (len(pool.ordered(Stage.READY)), pool.image_tag) == (2, "tried")
    assert not world.states.spares.state(POOL).waiting()
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    await world.settle()
    assert isinstance(await world.ask(commands.DeleteFlavor(flavor_id=flavor.id)), Accepted)
    await world.settle()
    assert not world.machines


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["lose", "lose-spare", "crash", "change", "remove"]), max_size=8), st.integers(0, 2))
def test_whatever_is_lost_it_serves_again_and_the_pool_is_full(script: list[str], size: int) -> None:
    async def live() -> None:
        world = await a_world_with_spares(size)
        for step in script:
            await _suffer(world, step)
        for _ in range(8):
            await world.lapse(120)
        appliance = world.appliance(a.LB)
        assert len(appliance.serving()) == 1
        assert len(ready(world)) == size
        assert set(world.machines) == {each.id for each in appliance.serving()} | set(
            world.states.spares.state(POOL).spares
        )
        state = world.load_balancer(a.LB)
        assert (state.pending, state.failed, state.ended) == (False, 0, state.generation)

    asyncio.run(live())


async def _suffer(world: World, step: str) -> None:
    serving = [each.id for each in world.appliance(a.LB).serving() if each.id in world.machines]
    waiting = [each.id for each in world.states.spares.state(POOL).waiting() if each.id in world.machines]
    match step:
        case "lose" if serving:
            await world.lost(serving[0])
        case "lose-spare" if waiting:
            await world.lost(waiting[0])
        case "remove" if waiting:
            await world.ask(commands.RemoveAmphora(appliance_id=POOLS, amphora_id=waiting[0]))
        case "crash":
            await world.restart()
        case "change":
            await world.ask(a.create_listener(id=a.an_id(f"listener {world.ids.new()}"), protocol_port=80))
        case _:
            pass
    await world.step()
