"""Quotas: set and reset, held under parallel wishes, given back, and counted anew after a crash."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.asks import Site
from actium_planner.deciders import project
from actium_planner.deciders.project import ProjectState
from actium_shared.commands import planner as commands
from actium_shared.errors import RetryableError
from actium_shared.event_store import Recorded
from actium_shared.events.project import QuotaSet
from actium_shared.ids import ListenerId, LoadBalancerId, MemberId, ProjectId
from actium_shared.message import Accepted, Reason, Rejected, Reply
from actium_shared.quotas import RESOURCES
from actium_shared.testing.memory_event_store import MemoryEventStore
from actium_shared.wishes import PoolWish
from unit.planner.world import World

PROJECT = ProjectId("p")


def set_quota(**limits: int | None) -> commands.SetQuota:
    return commands.SetQuota(project_id=PROJECT, limits=limits)


def quota(**limits: int) -> ProjectState:
    return project.evolve(ProjectState(), QuotaSet(project_id=PROJECT, limits=limits))


def is_over_quota(reply: Reply, kind: str) -> bool:
    return isinstance(reply, Rejected) and reply.reason is Reason.QUOTA and kind in reply.detail


# -- the project


def test_limits_are_set_one_by_one_and_recorded_whole() -> None:
    first = project.decide(set_quota(listener=5), ProjectState())
    assert first == [QuotaSet(project_id=PROJECT, limits={"listener": 5})]
    second = project.decide(set_quota(pool=0), quota(listener=5))
    assert second == [QuotaSet(project_id=PROJECT, limits={"listener": 5, "pool": 0})]


def test_none_is_the_sites_default_again() -> None:
    back = project.decide(set_quota(listener=None), quota(listener=5, pool=1))
    assert back == [QuotaSet(project_id=PROJECT, limits={"pool": 1})]


def test_the_same_limits_again_change_nothing() -> None:
    assert project.decide(set_quota(listener=5), quota(listener=5)) == []


@pytest.mark.parametrize("limits", [{"router": 1}, {"pool": -2}, {"pool": 2_000_000_001}])
def test_a_limit_that_cannot_be_is_invalid(limits: Mapping[str, int]) -> None:
    answer = project.decide(set_quota(**limits), ProjectState())
    assert isinstance(answer, Rejected)
    assert (answer.reason, answer.field) == (Reason.INVALID, next(iter(limits)))


def test_a_reset_needs_something_to_reset() -> None:
    reset = commands.ResetQuota(project_id=PROJECT)
    answer = project.decide(reset, ProjectState())
    assert isinstance(answer, Rejected)
    assert answer.reason is Reason.NOT_FOUND
    assert project.decide(reset, quota(pool=1)) == [QuotaSet(project_id=PROJECT, limits={})]
    assert project.decide(reset, quota()) == []


# -- what it holds projects to


async def limited(**limits: int) -> World:
    """Give a world with one load balancer of a project that has these limits."""
    world = World()
    assert isinstance(await world.ask(set_quota(**limits)), Accepted)
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)
    return world


async def test_each_kind_is_counted() -> None:
    world = await limited(**dict.fromkeys(RESOURCES, 1))
    for command in (a.create_listener(), a.create_pool(), a.create_member(), a.create_health_monitor()):
        assert isinstance(await world.ask(command), Accepted)
    other = a.an_id("other")
    assert is_over_quota(await world.ask(a.create_listener(id=other, protocol_port=81)), "listeners")
    assert is_over_quota(await world.ask(a.create_pool(id=other)), "pools")
    assert is_over_quota(await world.ask(a.create_member(id=other, address="10.1.0.11")), "members")
    assert is_over_quota(await world.ask(a.create_load_balancer(id=LoadBalancerId(other))), "load balancers")


async def test_a_whole_tree_counts_at_once_and_creates_nothing_when_it_does_not_fit() -> None:
    world = World()
    await world.ask(set_quota(member=1))
    members = tuple(a.member(id=MemberId(a.an_id(f"m{n}")), address=f"10.1.0.{n}") for n in (1, 2))
    tree = commands.CreateLoadBalancer(
        load_balancer_id=a.LB, load_balancer=a.load_balancer(), pools=(PoolWish(pool=a.pool(), members=members),)
    )
    assert is_over_quota(await world.ask(tree), "members")
    assert world.load_balancer(a.LB).load_balancer is None


async def test_of_a_batch_only_the_growth_counts() -> None:
    world = await limited(member=2)
    await world.ask(a.create_pool())
    await world.ask(a.create_member())

    def batch(*numbers: int, additive: bool = False) -> commands.ReplaceMembers:
        entries = [a.member(id=MemberId(a.an_id(f"m{n}")), address=f"10.1.0.{n}") for n in numbers]
        sent = ("address", "protocol_port")
        return commands.ReplaceMembers(
            load_balancer_id=a.LB,
            pool_id=a.POOL,
            members=tuple(commands.BatchMember(member=entry, sent=sent) for entry in entries),
            additive_only=additive,
        )

    assert is_over_quota(await world.ask(batch(1, 2, additive=True)), "members")
    assert isinstance(await world.ask(batch(1, 2)), Accepted)
    assert is_over_quota(await world.ask(batch(1, 2, 3)), "members")


async def test_what_a_removed_child_had_can_be_used_again_at_once() -> None:
    world = await limited(listener=1)
    await world.ask(a.create_listener())
    await world.ask(commands.DeleteListener(load_balancer_id=a.LB, listener_id=a.LISTENER))
    assert isinstance(await world.ask(a.create_listener(id=ListenerId(a.an_id("other")))), Accepted)


async def test_a_load_balancer_counts_until_nothing_of_it_exists() -> None:
    world = await limited(loadbalancer=1)
    other = a.create_load_balancer(id=LoadBalancerId(a.an_id("other")))
    await world.settle()
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert is_over_quota(await world.ask(other), "load balancers")
    await world.settle()
    assert isinstance(await world.ask(other), Accepted)


async def test_usage_and_limits_are_the_same_after_a_crash() -> None:
    world = await limited(loadbalancer=1)
    await world.restart()
    assert is_over_quota(await world.ask(a.create_load_balancer(id=LoadBalancerId(a.an_id("other")))), "load balancers")
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)


async def test_a_lowered_limit_stops_growth_and_nothing_else() -> None:
    world = await limited()
    await world.ask(a.create_pool())
    await world.ask(a.create_member())
    await world.ask(set_quota(member=0, pool=0))
    change = commands.UpdateMember(
        load_balancer_id=a.LB, pool_id=a.POOL, member_id=a.MEMBER, changes=commands.MemberChanges(weight=5)
    )
    assert isinstance(await world.ask(change), Accepted)
    assert isinstance(await world.ask(a.create_listener()), Accepted)
    assert is_over_quota(await world.ask(a.create_member(id=a.an_id("other"), address="10.1.0.11")), "members")


async def test_the_sites_limits_hold_for_projects_without_their_own() -> None:
    world = World(site=Site(quota={**dict.fromkeys(RESOURCES, -1), "loadbalancer": 0}))
    assert is_over_quota(await world.ask(a.create_load_balancer()), "load balancers")
    await world.ask(set_quota(loadbalancer=1))
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)
    await world.ask(commands.ResetQuota(project_id=PROJECT))
    other = a.create_load_balancer(id=LoadBalancerId(a.an_id("other")))
    assert is_over_quota(await world.ask(other), "load balancers")


async def test_the_names_of_projects_may_hold_any_characters() -> None:
    world = World()
    odd = ProjectId("a.b c=d*ü>")
    await world.ask(commands.SetQuota(project_id=odd, limits={"loadbalancer": 0}))
    await world.restart()
    assert is_over_quota(await world.ask(a.create_load_balancer(project_id=odd)), "load balancers")


class SlowStore(MemoryEventStore):
    """Lets others run before each append."""

    async def append(self, *words: object, **more: object) -> object:  # type: ignore[override]
        await asyncio.sleep(0)
        return await super().append(*words, **more)  # type: ignore[arg-type]


def creations(count: int) -> list[commands.CreateLoadBalancer]:
    return [a.create_load_balancer(id=LoadBalancerId(a.an_id(f"lb {number}"))) for number in range(count)]


@settings(max_examples=20, deadline=None)
@given(limit=st.integers(0, 6), wishes=st.integers(1, 10))
def test_parallel_creations_never_exceed_the_quota_and_use_all_of_it(limit: int, wishes: int) -> None:
    async def live() -> None:
        world = World(store=SlowStore())
        await world.ask(set_quota(loadbalancer=limit))
        replies = await asyncio.gather(*(world.ask(command) for command in creations(wishes)))
        accepted = sum(isinstance(reply, Accepted) for reply in replies)
        assert accepted == min(limit, wishes)
        assert all(is_over_quota(reply, "load balancers") for reply in replies if not isinstance(reply, Accepted))

    asyncio.run(live())


class LosingStore(MemoryEventStore):
    """Appends, and does not say so, when told to."""

    loses = False

    async def append(self, *words: object, **more: object) -> object:  # type: ignore[override]
        position = await super().append(*words, **more)  # type: ignore[arg-type]
        if self.loses:
            raise RetryableError("no answer")
        return position


async def test_what_may_have_happened_counts_as_if_it_had() -> None:
    store = LosingStore()
    world = World(store=store)
    await world.ask(set_quota(loadbalancer=1))
    first, second = creations(2)
    store.loses = True
    with pytest.raises(RetryableError):
        await world.ask(first)
    store.loses = False
    assert is_over_quota(await world.ask(second), "load balancers")
    assert isinstance(await world.ask(first), Accepted)
    log: list[Recorded] = [item async for item in store.read("EVENTS_PLANNER", after=0)]
    assert sum(item.aggregate == "loadbalancer" for item in log) == 1


class RefusingStore(MemoryEventStore):
    """Loses appends before they happen."""

    loses = False

    async def append(self, *words: object, **more: object) -> object:  # type: ignore[override]
        if self.loses:
            raise RetryableError("no answer")
        return await super().append(*words, **more)  # type: ignore[arg-type]


async def test_what_never_came_is_forgotten_in_time() -> None:
    store = RefusingStore()
    world = World(store=store)
    await world.ask(set_quota(loadbalancer=1))
    first, second = creations(2)
    store.loses = True
    with pytest.raises(RetryableError):
        await world.ask(first)
    store.loses = False
    assert is_over_quota(await world.ask(second), "load balancers")
    await world.lapse(61)
    assert isinstance(await world.ask(second), Accepted)
