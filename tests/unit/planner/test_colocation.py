"""Tags that say who shall be together and who apart: kept, or refused in words."""

import asyncio

import builders as a
from actium_planner.deciders.appliance import Limits
from actium_planner.placement import place
from actium_shared.commands.compute import BootAmphora
from actium_shared.events.spares import SpareHandedOut
from actium_shared.ids import ProjectId
from actium_shared.message import Accepted
from unit.planner.logs import log_of
from unit.planner.sharing import a_world, carrier, change, create, is_active, lb, why
from unit.planner.world import SlowStore


async def test_colocated_ones_are_together_and_what_cannot_be_is_refused() -> None:
    world = await a_world()
    await create(world, "x", room=3)
    await create(world, "y", room=3)
    await create(world, "a", "colocate:web")
    assert isinstance(await create(world, "b", "colocate:web"), Accepted)
    assert carrier(world, "a") == carrier(world, "b")
    assert "do already" in why(await create(world, "c", "colocate:web"))
    assert "load_balancers_per_appliance" in why(await create(world, "d", "colocate:web", room=1))
    other = await create(world, "e", "colocate:web", project_id=ProjectId("another"))
    assert isinstance(other, Accepted)
    assert carrier(world, "e") == place(lb("e"))


async def test_apolocated_ones_are_on_different_hosts() -> None:
    world = await a_world()
    for name in "abc":
        assert isinstance(await create(world, name, "apolocate:db", room=1), Accepted)
    hosts = {host for host, _ in world.machines.values()}
    assert hosts == {"host-1", "host-2", "host-3"}


async def test_apolocated_ones_that_boot_at_once_and_meet_are_parted() -> None:
    world = await a_world(hosts=("host-1", "host-2"))
    world.hosts = ("host-1",)
    world.works = False
    await create(world, "a", "apolocate:db", room=1)
    await create(world, "b", "apolocate:db", room=1)
    for order in list(world.orders):
        if isinstance(order, BootAmphora):
            assert order.avoid_hosts == ()
    boots = [order for order in world.orders if isinstance(order, BootAmphora)]
    await world._do(boots[0])
    await world._do(boots[1])
    assert [host for host, _ in world.machines.values()] == ["host-1", "host-1"]
    world.hosts = ("host-1", "host-2")
    world.orders = [order for order in world.orders if order not in boots]
    world.works = True
    await world.settle()
    assert sorted(host for host, _ in world.machines.values()) == ["host-1", "host-2"]
    assert is_active(world, "a")
    assert is_active(world, "b")


async def test_apolocated_ones_that_are_handed_spares_of_one_host_at_once_are_parted() -> None:
    world = await a_world(limits=Limits(spare_pool_size=3), hosts=("host-1",))
    await world.ask(a.create_load_balancer(id=lb("other")))  # with it come the spares
    await world.settle()
    world.hosts = ("host-1", "host-2")
    for name in "ab":
        await world.ask(a.create_load_balancer(id=lb(name), tags=("apolocate:db",)))
    await world.settle()
    members = [world.appliance(lb(name)).serving() for name in "ab"]
    assert [[amphora.host for amphora in each] for each in members] == [["host-1"], ["host-2"]]
    assert is_active(world, "a")
    assert is_active(world, "b")


async def test_one_that_boots_and_one_that_is_handed_a_spare_there_at_the_same_time_are_parted() -> None:
    world = await a_world(limits=Limits(spare_pool_size=1), hosts=("host-1",), store=SlowStore(), works=False)
    await world.ask(a.create_load_balancer(id=lb("a"), tags=("apolocate:db",)))
    await world.settle()
    boots = [order for order in world.orders if isinstance(order, BootAmphora)]
    boots.sort(key=lambda order: order.appliance_id == place(lb("a")))
    await world._do(boots[0])  # the spare; the other one is not told of yet
    await world.settle()
    await world.ask(a.create_load_balancer(id=lb("b"), tags=("apolocate:db",)))
    while not any(
        isinstance(event, SpareHandedOut) for event in (await log_of(world, "EVENTS_PLANNER"))[-1].commit.events
    ):
        await world._read("planner")
    await world._do(boots[1])
    await asyncio.gather(world._read("planner"), world._read("compute"))
    members = [world.appliance(lb(name)).serving() for name in "ab"]
    assert [amphora.host for each in members for amphora in each].count("host-1") == 1


async def test_where_no_host_is_left_it_is_an_error_with_its_reason() -> None:
    world = await a_world(hosts=("host-1",))
    await create(world, "a", "apolocate:db", room=1)
    await create(world, "b", "apolocate:db", room=1)
    assert is_active(world, "a")
    assert world.load_balancer(lb("b")).failed
    world.hosts = ("host-1", "host-2")
    await world.lapse(31)
    assert is_active(world, "b")


async def test_tags_that_contradict_what_is_are_refused_and_others_are_not() -> None:
    world = await a_world()
    await create(world, "a", "colocate:web")
    await create(world, "b")
    await create(world, "c")
    assert isinstance(await change(world, "b", tags=("colocate:web", "blue")), Accepted)
    assert "another appliance" in why(await change(world, "c", tags=("colocate:web",)))
    await change(world, "a", tags=("apolocate:db",))
    assert "same appliance" in why(await change(world, "b", tags=("apolocate:db",)))
    assert isinstance(await change(world, "b", tags=()), Accepted)
