"""Whose a child's id is where callers make ids: two load balancers never get the same one, however they race."""

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

import builders as a
from actium_planner.child_ids import ChildIds
from actium_shared.commands import planner as commands
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Accepted, Reason, Rejected, Reply
from actium_shared.wishes import L7PolicyWish, PoolWish
from unit.planner.world import SlowStore, World

ONE, OTHER = LoadBalancerId(a.an_id("one")), LoadBalancerId(a.an_id("other"))
MEMBERS = (commands.BatchMember(member=a.member()),)
BRINGING: Mapping[str, LoadBalancerCommand] = {
    "listener": commands.CreateListener(load_balancer_id=OTHER, listener=a.listener(protocol_port=81)),
    "pool": commands.CreatePool(load_balancer_id=OTHER, pool=a.pool()),
    "member": commands.CreateMember(load_balancer_id=OTHER, pool_id=a.POOL, member=a.member()),
    "members": commands.ReplaceMembers(load_balancer_id=OTHER, pool_id=a.POOL, members=MEMBERS, additive_only=True),
    "monitor": commands.CreateHealthMonitor(load_balancer_id=OTHER, pool_id=a.POOL, health_monitor=a.health_monitor()),
    "policy": commands.CreateL7Policy(load_balancer_id=OTHER, l7_policy=a.l7_policy()),
    "rule": commands.CreateL7Rule(load_balancer_id=OTHER, l7_policy_id=a.POLICY, l7_rule=a.l7_rule()),
}


def create(lb_id: LoadBalancerId) -> commands.CreateLoadBalancer:
    return commands.CreateLoadBalancer(load_balancer_id=lb_id, load_balancer=a.load_balancer(id=lb_id))


async def make(world: World) -> None:
    for lb_id in (ONE, OTHER):
        assert isinstance(await world.ask(create(lb_id)), Accepted)


def is_conflict(reply: Reply) -> bool:
    return isinstance(reply, Rejected) and (reply.reason, reply.field) == (Reason.CONFLICT, "id")


@pytest.mark.parametrize("which", BRINGING)
async def test_what_one_load_balancer_has_another_cannot_bring(which: str) -> None:
    world = World()
    await make(world)
    pool = PoolWish(pool=a.pool(), members=(a.member(),), health_monitor=a.health_monitor())
    rules = L7PolicyWish(policy=a.l7_policy(), rules=(a.l7_rule(),))
    tree = create(LoadBalancerId(a.an_id("tree")))
    full = replace(tree, listeners=(a.listener(),), pools=(pool,), l7_policies=(rules,))
    assert isinstance(await world.ask(full, name="tree"), Accepted)
    assert is_conflict(await world.ask(BRINGING[which], name="again"))
    claims = ChildIds(world.states.load_balancers)
    with claims.claimed(replace(BRINGING[which], load_balancer_id=tree.load_balancer_id)) as refusal:
        assert refusal is None  # its own are its own


async def test_of_two_that_bring_the_same_id_at_once_one_gets_it() -> None:
    world = World(store=SlowStore())
    await make(world)
    wishes = [commands.CreateListener(load_balancer_id=lb_id, listener=a.listener()) for lb_id in (ONE, OTHER)]
    replies = await asyncio.gather(*(world.ask(wish, name=wish.load_balancer_id) for wish in wishes))
    assert sorted(is_conflict(reply) for reply in replies) == [False, True]
    having = [lb_id for lb_id in (ONE, OTHER) if a.LISTENER in world.load_balancer(lb_id).listeners]
    assert len(having) == 1


async def test_what_was_refused_or_deleted_is_free_again() -> None:
    world = World()
    await make(world)
    nowhere = commands.CreateListener(load_balancer_id=LoadBalancerId(a.an_id("no such")), listener=a.listener())
    assert isinstance(await world.ask(nowhere, name="1"), Rejected)
    first = replace(nowhere, load_balancer_id=ONE)
    assert isinstance(await world.ask(first, name="2"), Accepted)
    assert isinstance(
        await world.ask(commands.DeleteListener(load_balancer_id=ONE, listener_id=a.LISTENER), name="3"), Accepted
    )
    assert isinstance(await world.ask(replace(nowhere, load_balancer_id=OTHER), name="4"), Accepted)
    assert isinstance(await world.ask(first, name="2"), Accepted)  # as it was answered before, whoever has it now
    assert a.LISTENER not in world.load_balancer(ONE).listeners
