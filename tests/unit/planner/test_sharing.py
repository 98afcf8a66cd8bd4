"""Several load balancers on one appliance: whole lives, and what one may do to another."""

import builders as a
from actium_planner.placement import place
from actium_shared.commands import planner as commands
from actium_shared.ids import SubnetId
from actium_shared.message import Accepted
from actium_shared.wishes import Member
from unit.planner.sharing import (
    a_world,
    add_member,
    carrier,
    create,
    creation,
    delete,
    is_active,
    knows_subnets,
    lb,
    served,
    why,
)


async def test_two_share_and_the_third_has_its_own() -> None:
    world = await a_world()
    for name in "abc":
        assert isinstance(await create(world, name), Accepted)
    assert carrier(world, "a") == carrier(world, "b") == place(lb("a"))
    assert carrier(world, "c") == place(lb("c"))
    assert sorted(map(len, served(world).values())) == [1, 2]
    assert all(is_active(world, name) for name in "abc")


async def test_the_others_go_on_when_one_is_deleted_even_the_first() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    await delete(world, "a")
    assert world.load_balancer(lb("a")).deleted
    assert list(served(world).values()) == [{lb("b")}]
    assert is_active(world, "b")
    await create(world, "c")
    assert carrier(world, "c") == carrier(world, "b")
    await delete(world, "b")
    await delete(world, "c")
    assert not world.machines
    assert world.states.appliances.state(place(lb("a"))).retired


async def test_ports_lead_to_the_subnets_of_all_their_members() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    assert isinstance(await add_member(world, "a", "tenant-1", "10.1.0.5"), Accepted)
    assert isinstance(await add_member(world, "b", "tenant-2", "10.2.0.5"), Accepted)
    (order,) = world.configured.values()
    assert set(order.member_ports) == {"tenant-1", "tenant-2"}
    await delete(world, "a")
    (order,) = world.configured.values()
    assert set(order.member_ports) == {"tenant-2"}


async def test_a_member_on_the_subnet_of_anothers_vip_is_reached_through_the_vips_port() -> None:
    world = await a_world()
    await create(world, "a")
    other = a.vip(subnet_id=SubnetId("other"), address="198.51.100.9")
    await create(world, "b", vip=other)
    assert carrier(world, "a") == carrier(world, "b")
    assert isinstance(await add_member(world, "b", a.PUBLIC, "203.0.113.50"), Accepted)
    (order,) = world.configured.values()
    assert order.member_ports == {}
    members: list[Member] = [member for wish in order.load_balancers for pool in wish.pools for member in pool.members]
    assert [member.address for member in members] == ["203.0.113.50"]
    await delete(world, "a")
    (order,) = world.configured.values()
    assert set(order.member_ports) == {a.PUBLIC}


async def test_members_on_subnets_that_hide_each_other_do_not_share() -> None:
    world = await a_world()
    await knows_subnets(world, one="10.0.0.0/16", two="10.0.1.0/24")
    await create(world, "a")
    await create(world, "b")
    assert isinstance(await add_member(world, "a", "one", "10.0.0.5"), Accepted)
    assert "overlaps" in why(await add_member(world, "b", "two", "10.0.1.5"))
    assert is_active(world, "b")
    await delete(world, "a")
    assert isinstance(await add_member(world, "b", "two", "10.0.1.5"), Accepted)


async def test_a_change_of_one_that_amphorae_refuse_does_not_hurt_the_other() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    world.accepts = False
    listener = commands.CreateListener(load_balancer_id=lb("a"), listener=a.listener())
    await world.ask(listener)
    await world.settle()
    assert world.load_balancer(lb("a")).failed
    assert is_active(world, "b")
    world.accepts = True
    await world.ask(commands.DeleteListener(load_balancer_id=lb("a"), listener_id=a.LISTENER))
    await world.settle()
    assert is_active(world, "a")


async def test_one_that_cannot_go_for_anothers_fault_goes_when_it_is_asked_again() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    world.accepts = False
    await delete(world, "a")
    assert not world.load_balancer(lb("a")).withdrawn
    world.accepts = True
    await world.ask(commands.SettleLoadBalancer(load_balancer_id=lb("a"), reason="the listener was wrong"))
    await delete(world, "a")
    assert world.load_balancer(lb("a")).deleted
    assert is_active(world, "b")


async def test_what_is_admitted_while_a_round_runs_is_in_the_next() -> None:
    world = await a_world()
    await create(world, "a", room=3)
    world.works = False
    await world.ask(commands.CreateListener(load_balancer_id=lb("a"), listener=a.listener()))
    await world.settle()
    await create(world, "b", room=3)
    await create(world, "c", room=3)
    world.works = True
    await world.settle()
    assert all(is_active(world, name) for name in "abc")
    assert list(served(world).values()) == [{lb("a"), lb("b"), lb("c")}]


async def test_one_that_is_deleted_before_it_was_served_is_gone_and_the_other_serves() -> None:
    world = await a_world()
    await create(world, "a")
    world.works = False
    await world.ask(creation("b"))
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb("b")))
    await world.settle()
    world.works = True
    await world.settle()
    assert world.load_balancer(lb("b")).deleted
    assert is_active(world, "a")
    assert list(served(world).values()) == [{lb("a")}]
