"""What a create has to bring by whichever door it comes; and that all who decide on one thing wait for the same lock."""

import asyncio

import pytest

import builders as a
from actium_planner.states import Aggregates
from actium_shared.commands import planner as commands
from actium_shared.ids import LoadBalancerId, ProjectId
from actium_shared.message import Accepted, Reason, Rejected, Reply
from unit.planner.world import SlowStore, World


def refused(reply: Reply) -> tuple[Reason, str | None]:
    assert isinstance(reply, Rejected), reply
    return reply.reason, reply.field


# -- what a create has to bring


async def test_a_vip_that_nobody_has_reserved_is_refused() -> None:
    world = World(reserves=False)
    assert refused(await world.ask(a.create_load_balancer())) == (Reason.INVALID, "vip")


@pytest.mark.parametrize("vip", [a.vip(address="203.0.113.101"), a.vip(port_id="another"), a.vip(prefix_length=8)])
async def test_addresses_that_are_not_those_that_are_reserved_are_refused(vip: object) -> None:
    world = World()
    await world.reserve(a.create_load_balancer())
    world.reserves = False
    assert refused(await world.ask(a.create_load_balancer(vip=vip))) == (Reason.INVALID, "vip")
    assert refused(await world.ask(a.create_load_balancer(additional_vips=(vip,)))) == (Reason.INVALID, "vip")


async def test_what_was_given_back_has_to_be_reserved_again() -> None:
    world = World()
    command = a.create_load_balancer()
    await world.reserve(command)
    await world.settle()
    await world.release(a.LB)
    await world.settle()
    world.reserves = False
    assert refused(await world.ask(command)) == (Reason.INVALID, "vip")
    await world.reserve(command)
    assert isinstance(await world.ask(command), Accepted)


async def test_a_vip_that_another_project_has_reserved_is_refused() -> None:
    world = World()
    await world.reserve(a.create_load_balancer())
    world.reserves = False
    assert refused(await world.ask(a.create_load_balancer(project_id=ProjectId("mine")))) == (
        Reason.INVALID,
        "project_id",
    )


@pytest.mark.parametrize("project_id", ["", "p" * 65, "a\nb"])
async def test_a_project_that_no_read_model_could_keep_is_refused(project_id: str) -> None:
    assert refused(await World().ask(a.create_load_balancer(project_id=project_id))) == (Reason.INVALID, "project_id")


async def test_an_id_that_no_read_model_could_keep_is_refused() -> None:
    assert refused(await World().ask(a.create_load_balancer(id=LoadBalancerId("x" * 65)))) == (Reason.INVALID, "id")


async def test_a_create_that_is_repeated_needs_no_reservation_any_more() -> None:
    world = World()
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)
    await world.settle()
    world.reserves = False
    await world.restart()
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)


async def test_a_planner_that_comes_back_knows_what_is_reserved() -> None:
    world = World()
    command = a.create_load_balancer()
    await world.reserve(command)
    world.reserves = False
    await world.restart()
    assert isinstance(await world.ask(command), Accepted)


# -- the lock


def aggregates() -> Aggregates[int]:
    return Aggregates("loadbalancer", 0, lambda state, events: state + len(events))


async def test_one_that_does_not_exist_is_forgotten_behind_who_asked() -> None:
    held = aggregates()
    async with held.locked("x"):
        assert len(list(held)) == 1
    assert not list(held)


async def test_who_waits_and_who_comes_later_have_the_same_lock() -> None:
    held, inside, most = aggregates(), 0, 0

    async def decide(pauses: int) -> None:
        nonlocal inside, most
        async with held.locked("x"):
            inside += 1
            most = max(most, inside)
            for _ in range(pauses):
                await asyncio.sleep(0)
            inside -= 1

    async def decide_later() -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        await decide(3)

    await asyncio.gather(decide(2), decide(5), decide_later())
    assert most == 1
    assert not list(held)


async def test_a_refusal_does_not_pull_the_lock_from_under_those_that_wait() -> None:
    world = World(store=SlowStore())
    wishes = [
        a.create_listener(),  # there is no load balancer yet: refused
        a.create_load_balancer(),
        a.create_load_balancer(name="again"),
        a.create_listener(),
        commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(name="changed")),
    ]
    refusal, *others = await asyncio.gather(*(world.ask(wish) for wish in wishes))
    assert isinstance(refusal, Rejected)
    assert all(isinstance(reply, Accepted) for reply in others), others
    log = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    assert len(log) == 3
