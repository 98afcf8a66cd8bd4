"""An operator's word that a load balancer waits no longer: given, when, then; and in whole lives."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.asks import Site
from actium_planner.deciders import load_balancer
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.deciders.load_balancer.settling import waits
from actium_shared.commands import planner as commands
from actium_shared.commands.planner import SettleLoadBalancer
from actium_shared.events import appliance as appliances
from actium_shared.events.load_balancer import LoadBalancerSettled, RoundEnded
from actium_shared.ids import ApplianceId, LoadBalancerId
from actium_shared.message import Accepted, Reason
from unit.planner.lives import after, happens, served, why
from unit.planner.world import World

SETTLE = SettleLoadBalancer(load_balancer_id=a.LB, reason="the host is gone")
OTHER = LoadBalancerId(a.an_id("other"))
DELETE = commands.DeleteLoadBalancer(load_balancer_id=a.LB, cascade=True)


def settled(state: LoadBalancerState) -> LoadBalancerState:
    return load_balancer.fold(state, happens(SETTLE, state))


# -- given, when, then


def test_what_is_pending_fails_for_that_reason() -> None:
    state = after()
    assert happens(SETTLE, state) == [LoadBalancerSettled(load_balancer_id=a.LB, reason="the host is gone")]
    over = settled(state)
    assert (over.pending, over.failed) == (False, 1)


def test_where_nothing_waits_nothing_happens() -> None:
    assert happens(SETTLE, served(after())) == []
    assert happens(SETTLE, settled(after())) == []


def test_a_deletion_waits_no_longer_and_can_be_asked_for_again() -> None:
    deleting = load_balancer.fold(served(after()), happens(DELETE, served(after())))
    over = settled(deleting)
    assert over.deleting
    assert (over.failed, over.delete_by, list(load_balancer.deadlines(over))) == (2, None, [])
    assert [event.TYPE for event in happens(DELETE, over)] == ["loadbalancer.deletion-requested"]


def test_between_two_rounds_it_waits_too() -> None:
    state = load_balancer.fold(served(after()), happens(a.create_listener(), served(after())))
    between = load_balancer.evolve(state, RoundEnded(load_balancer_id=a.LB, generation=1))
    assert not between.pending
    assert settled(between).failed == 2


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_it_has_to_be_said_why(reason: str) -> None:
    command = SettleLoadBalancer(load_balancer_id=a.LB, reason=reason)
    assert why(command, after()) == (Reason.INVALID, "reason")


def test_what_is_not_there_is_not_found() -> None:
    assert why(SETTLE, LoadBalancerState())[0] is Reason.NOT_FOUND


def test_what_is_applied_after_all_heals() -> None:
    over = settled(after())
    applied = appliances.BundleApplied(appliance_id=ApplianceId("x"), bundle=1, holds={a.LB: 1})
    healed = load_balancer.fold(over, load_balancer.follow(applied, over))
    assert (healed.failed, healed.ended, healed.pending) == (0, 1, False)


def test_what_fails_after_it_says_nothing_new() -> None:
    over = settled(after(a.create_listener()))
    for held in (1, 2):
        failed = appliances.BundleFailed(appliance_id=ApplianceId("x"), bundle=1, holds={a.LB: held}, reason="late")
        assert load_balancer.follow(failed, over) == []


# -- whole lives


async def stuck(**fields: object) -> World:
    """Give a world in which a change waits for amphorae that do nothing."""
    world = World(**fields)  # type: ignore[arg-type]
    await world.ask(a.create_load_balancer())
    await world.settle()
    world.works = False
    await world.ask(a.create_listener())
    await world.settle()
    assert world.load_balancer(a.LB).pending
    return world


async def settle(world: World) -> None:
    assert isinstance(await world.ask(SETTLE), Accepted)
    await world.settle()


async def test_settled_it_stays_so_until_something_new_is_wished_for_and_that_begins_at_once() -> None:
    world = await stuck()
    await settle(world)
    for _ in range(3):
        await world.lapse(100)
        assert (world.load_balancer(a.LB).pending, world.load_balancer(a.LB).failed) == (False, 2)
    world.orders.clear()
    world.works = True
    await world.ask(a.create_pool())
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.pending, state.failed, state.ended) == (False, 0, 3)


async def test_a_new_wish_does_not_wait_for_the_deadline_of_what_was_settled() -> None:
    world = await stuck()
    before = world.appliance(a.LB).bundle.number
    await settle(world)
    await world.ask(a.create_pool())
    await world.settle()
    assert world.appliance(a.LB).bundle.number == before + 1


async def test_what_the_amphorae_do_after_all_counts() -> None:
    world = await stuck()
    await settle(world)
    world.works = True
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.failed, state.ended) == (0, 2)


async def test_a_newer_wish_that_was_settled_with_an_older_one_is_not_begun_by_itself() -> None:
    world = await stuck()
    await world.ask(a.create_pool())
    await world.settle()
    await settle(world)
    world.orders.clear()
    await world.lapse(61)
    state = world.load_balancer(a.LB)
    assert (state.pending, state.failed) == (False, 3)


async def test_a_deletion_that_was_settled_goes_on_and_ends() -> None:
    world = await stuck()
    await world.ask(DELETE)
    await world.settle()
    await settle(world)
    assert world.load_balancer(a.LB).failed == 3
    world.works = True
    await world.settle()
    assert world.load_balancer(a.LB).deleted


async def test_a_strict_site_lets_its_operator_settle() -> None:
    world = await stuck(site=Site(strict_immutability=True))
    await settle(world)
    assert world.load_balancer(a.LB).failed == 2


async def test_a_failover_that_does_not_come_to_an_end_can_be_settled_and_changes_go_on() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    world.boots = False
    world.works = False
    await world.ask(commands.FailOverLoadBalancer(load_balancer_id=a.LB))
    await world.settle()
    assert world.load_balancer(a.LB).pending
    await settle(world)
    assert world.load_balancer(a.LB).failed == 2
    world.works = True
    world.boots = True
    await world.ask(a.create_listener())
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.pending, state.failed, state.ended) == (False, 0, 3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["change", "settle", "work", "idle", "wait", "crash", "fail over", "delete"]), max_size=12)
)
def test_whatever_was_settled_when_nothing_waits_for_ever_and_what_comes_after_is_served(script: list[str]) -> None:
    async def live() -> None:
        world = World()
        await world.ask(a.create_load_balancer())
        for number, step in enumerate(script):
            await _take(world, step, number)
        world.works = True
        await world.settle()
        await world.ask(a.create_listener(id=a.an_id("last"), protocol_port=9))
        await world.settle()
        for _ in range(3):
            await world.lapse(121)
        state = world.load_balancer(a.LB)
        assert state.deleted or not waits(state)
        assert state.deleted or (state.ended, state.failed) == (state.generation, 0)

    asyncio.run(live())


async def _take(world: World, step: str, number: int) -> None:
    match step:
        case "change":
            await world.ask(a.create_listener(id=a.an_id(f"listener {number}"), protocol_port=80 + number))
        case "settle":
            await world.ask(SETTLE)
            state = world.load_balancer(a.LB)
            assert state.deleted or not waits(state)
        case "fail over":
            await world.ask(commands.FailOverLoadBalancer(load_balancer_id=a.LB))
        case "delete":
            await world.ask(DELETE)
        case "work" | "idle":
            world.works = step == "work"
        case "wait":
            await world.lapse(61)
        case "crash":
            await world.restart()
        case _:
            raise AssertionError(step)
    await world.settle()
