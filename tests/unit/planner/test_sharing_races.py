"""Creations and changes at once: no appliance is too full, and who comes second to a place learns of it."""

import asyncio

from msgspec.structs import replace

from actium_planner.placement import place
from actium_shared.events.load_balancer import LoadBalancerCreated
from actium_shared.ids import ApplianceId
from actium_shared.message import Accepted
from unit.planner.sharing import (
    a_world,
    add_member,
    carrier,
    change,
    create,
    creation,
    delete,
    is_active,
    knows_subnets,
    lb,
    served,
    why,
)
from unit.planner.world import SlowStore, World


async def test_creates_at_once_fill_appliances_and_none_is_too_full() -> None:
    world = await a_world(store=SlowStore())
    replies = await asyncio.gather(*(world.ask(creation(f"lb{number}")) for number in range(7)))
    assert all(isinstance(reply, Accepted) for reply in replies)
    await world.settle()
    assert all(is_active(world, f"lb{number}") for number in range(7))
    assert sorted(map(len, served(world).values())) == [1, 2, 2, 2]


async def test_of_creates_at_once_that_want_the_same_place_those_are_refused_that_come_too_late() -> None:
    world = await a_world(store=SlowStore())
    replies = await asyncio.gather(*(world.ask(creation(f"lb{number}", "colocate:x")) for number in range(4)))
    assert ["do already" in why(reply) for reply in replies if not isinstance(reply, Accepted)] == [True, True]
    await world.settle()
    assert list(map(len, served(world).values())) == [2]


async def test_members_that_hide_each_other_are_not_both_taken_at_once() -> None:
    world = await a_world(store=SlowStore())
    await knows_subnets(world, one="10.0.0.0/16", two="10.0.1.0/24")
    await create(world, "a")
    await create(world, "b")
    both = asyncio.gather(add_member(world, "a", "one", "10.0.0.5"), add_member(world, "b", "two", "10.0.1.5"))
    assert sorted(isinstance(reply, Accepted) for reply in await both) == [False, True]


async def lost_races(world: World, name: str, *tags: str, meant_for: ApplianceId) -> None:
    """Have a creation on the log that another planner decided on, which did not see what this one did meanwhile."""
    wish = creation(name, *tags).load_balancer
    wish = replace(wish, flavor={"load_balancers_per_appliance": 2}, provider="actium")
    created = LoadBalancerCreated(load_balancer_id=wish.id, generation=1, load_balancer=wish, appliance_id=meant_for)
    await world.happened("loadbalancer", lb(name), created)
    await world.settle()


async def test_who_comes_second_to_the_last_place_is_placed_anew() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    await lost_races(world, "late", meant_for=place(lb("a")))
    assert carrier(world, "late") == place(lb("late"))
    assert is_active(world, "late")


async def test_who_comes_second_and_must_be_there_fails_in_words_and_heals_when_there_is_room() -> None:
    world = await a_world()
    await create(world, "a", "colocate:x")
    await create(world, "b")
    await lost_races(world, "late", "colocate:x", meant_for=place(lb("a")))
    state = world.load_balancer(lb("late"))
    assert (state.failed, state.pending, carrier(world, "late")) == (1, False, None)
    await delete(world, "b")
    await change(world, "late", admin_state_up=False)
    assert carrier(world, "late") == place(lb("a"))
    assert is_active(world, "late")


async def test_one_without_a_place_can_be_deleted() -> None:
    world = await a_world()
    await create(world, "a", "colocate:x")
    await create(world, "b")
    await lost_races(world, "late", "colocate:x", meant_for=place(lb("a")))
    await delete(world, "late")
    assert world.load_balancer(lb("late")).deleted
    assert is_active(world, "a")
