"""Wishes that amphorae refuse, where several share them: what was good serves on, and neighbours notice nothing."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.appliance import BundleFailed
from actium_shared.events.load_balancer import RoundFailed
from actium_shared.ids import ListenerId
from actium_shared.message import Accepted
from unit.planner.sharing import a_world, add_member, carrier, create, creation, delete, is_active, lb, served
from unit.planner.world import World

BAD_PORT = 666


def is_bad(order: ConfigureAmphora) -> bool:
    return any(listener.protocol_port == BAD_PORT for wish in order.load_balancers for listener in wish.listeners)


def listener_id(name: str, port: int) -> ListenerId:
    return ListenerId(a.an_id(f"{name} {port}"))


async def add_listener(world: World, name: str, port: int) -> None:
    listener = a.listener(id=listener_id(name, port), protocol_port=port)
    await world.ask(commands.CreateListener(load_balancer_id=lb(name), listener=listener))


def ports(world: World, name: str) -> set[int]:
    """Give the ports that are served for it, by all amphorae alike."""
    found = {
        frozenset(listener.protocol_port for listener in wish.listeners)
        for order in world.configured.values()
        for wish in order.load_balancers
        if wish.load_balancer.id == lb(name)
    }
    (same,) = found
    return set(same)


async def reasons(world: World, name: str) -> list[str]:
    log = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    failed = [event for item in log for event in item.commit.events if isinstance(event, RoundFailed)]
    return [event.reason for event in failed if event.load_balancer_id == lb(name)]


async def three_neighbours() -> World:
    world = await a_world(refuses=is_bad)
    for name in "abc":
        assert isinstance(await create(world, name, room=3), Accepted)
    assert len({carrier(world, name) for name in "abc"}) == 1
    return world


async def test_a_refused_wish_does_not_hold_up_its_neighbours_changes() -> None:
    world = await three_neighbours()
    await add_listener(world, "b", BAD_PORT)
    await world.settle()
    assert world.load_balancer(lb("b")).failed
    await add_listener(world, "a", 81)
    await world.settle()
    assert is_active(world, "a")
    assert ports(world, "a") == {81}
    assert ports(world, "b") == set()
    assert world.load_balancer(lb("b")).failed
    assert await reasons(world, "b") == ["haproxy: no"]
    assert await reasons(world, "a") == await reasons(world, "c") == []


@pytest.mark.parametrize("guilty", ["a", "b", "c", "ac"])
async def test_of_changes_in_one_round_only_the_guilty_fail(guilty: str) -> None:
    world = await three_neighbours()
    world.works = False
    await add_listener(world, "c", 80)
    await world.settle()  # this round is under way
    for name in "abc":
        await add_listener(world, name, BAD_PORT if name in guilty else 81)
    world.works = True
    await world.settle()
    for name in "abc":
        assert bool(world.load_balancer(lb(name)).failed) == (name in guilty), name
        assert not world.load_balancer(lb(name)).pending
        assert (81 in ports(world, name)) == (name not in guilty)
        assert len(await reasons(world, name)) == (name in guilty)


async def test_a_new_neighbour_comes_up_beside_one_that_is_refused_and_one_that_never_was_good_goes_in_peace() -> None:
    world = await a_world(refuses=is_bad)
    await create(world, "a", room=3)
    bad = a.listener(protocol_port=BAD_PORT)
    created = a.create_load_balancer(id=lb("b"), flavor_id=a.an_id("flavor for 3"))
    await world.ask(
        commands.CreateLoadBalancer(load_balancer_id=lb("b"), load_balancer=created.load_balancer, listeners=(bad,))
    )
    await world.settle()
    assert carrier(world, "b") == carrier(world, "a")
    assert world.load_balancer(lb("b")).failed
    await create(world, "c", room=3)
    assert carrier(world, "c") == carrier(world, "a")
    assert is_active(world, "c")
    assert list(served(world).values()) == [{lb("a"), lb("c")}]
    await delete(world, "b")
    assert world.load_balancer(lb("b")).deleted
    assert is_active(world, "a")
    assert is_active(world, "c")


async def test_the_last_good_one_beside_one_that_never_was_goes_and_the_other_may_yet_come() -> None:
    world = await a_world(refuses=is_bad)
    await create(world, "a", room=3)
    bad = a.listener(id=listener_id("b", BAD_PORT), protocol_port=BAD_PORT)
    created = a.create_load_balancer(id=lb("b"), flavor_id=a.an_id("flavor for 3"))
    await world.ask(
        commands.CreateLoadBalancer(load_balancer_id=lb("b"), load_balancer=created.load_balancer, listeners=(bad,))
    )
    await world.settle()
    await delete(world, "a")
    assert world.load_balancer(lb("a")).deleted
    assert not served(world)
    await world.ask(commands.DeleteListener(load_balancer_id=lb("b"), listener_id=bad.id))
    await world.settle()
    assert is_active(world, "b")
    assert list(served(world).values()) == [{lb("b")}]


async def test_when_their_amphora_is_lost_all_neighbours_come_back_with_what_was_good() -> None:
    world = await three_neighbours()
    await add_listener(world, "a", 81)
    await world.settle()
    await add_listener(world, "a", BAD_PORT)
    await world.settle()
    (amphora_id,) = world.configured
    await world.restart()  # what is good is on the log
    await world.lost(amphora_id)
    await world.settle()
    assert set(world.configured) != {amphora_id}
    assert list(served(world).values()) == [{lb("a"), lb("b"), lb("c")}]
    assert ports(world, "a") == {81}


async def test_a_port_that_cannot_be_had_is_the_refusal_of_those_who_need_it() -> None:
    world = await three_neighbours()
    world.dry = {"tenant-1"}
    await add_member(world, "a", "tenant-1", "10.1.0.5")
    assert world.load_balancer(lb("a")).failed
    await add_member(world, "b", "tenant-2", "10.2.0.5")
    assert is_active(world, "b")
    assert is_active(world, "c")
    world.dry.clear()
    await world.lapse(31)
    assert all(is_active(world, name) for name in "abc")


async def test_whom_compute_blames_fails_and_nobody_else_is_suspected() -> None:
    world = await three_neighbours()
    world.works = False
    await add_listener(world, "c", 80)
    await world.settle()
    for name in "abc":
        await add_listener(world, name, BAD_PORT if name in "ac" else 81)
    world.works = True
    world.blames = lambda _order: (lb("a"), lb("c"))
    await world.settle()
    assert [bool(world.load_balancer(lb(name)).failed) for name in "abc"] == [True, False, True]
    log = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    failed = [event for item in log for event in item.commit.events if isinstance(event, BundleFailed)]
    assert [(set(event.refused), event.suspects) for event in failed] == [({lb("a"), lb("c")}, ())]


async def test_a_neighbour_whose_good_wish_can_be_expressed_no_more_is_left_out_where_nobody_serves_it() -> None:
    world = await three_neighbours()
    world.refuses = lambda order: any(wish.load_balancer.id == lb("a") for wish in order.load_balancers)
    world.blames = lambda _order: (lb("a"),)
    await add_listener(world, "b", 81)
    await world.settle()
    assert world.load_balancer(lb("b")).failed  # nobody's traffic ends for another's change
    assert list(served(world).values()) == [{lb("a"), lb("b"), lb("c")}]
    await world.lost(min(world.configured))
    world.configured.clear()
    await world.settle()
    assert list(served(world).values()) == [{lb("b"), lb("c")}]
    assert is_active(world, "b")
    assert is_active(world, "c")
    assert world.load_balancer(lb("a")).failed
    world.refuses = lambda _order: False
    await world.lapse(65)
    assert is_active(world, "a")
    assert list(served(world).values()) == [{lb("a"), lb("b"), lb("c")}]


# -- whatever happens

steps = st.tuples(
    st.sampled_from(["create", "good", "good", "bad", "mend", "delete", "crash", "lose", "settle"]),
    st.sampled_from("abcd"),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=16))
def test_whatever_is_asked_the_bad_wishes_alone_fail_and_everything_good_serves(script: list[tuple[str, str]]) -> None:
    async def live() -> None:
        world = await a_world(refuses=is_bad)
        for word, name in script:
            await _take(world, word, name)
        for _ in range(8):
            await world.settle()
            await world.lapse(130)
        for name in "abcd":
            _is_as_it_shall_be(world, name)

    asyncio.run(live())


def _is_as_it_shall_be(world: World, name: str) -> None:
    state = world.load_balancer(lb(name))
    holders = [one for one, carried in served(world).items() if lb(name) in carried]
    if state.load_balancer is None:
        assert not holders
        return
    wanted = {listener.protocol_port for listener in state.listeners.values()}
    assert not state.pending
    assert bool(state.failed) == (BAD_PORT in wanted)
    if BAD_PORT not in wanted:
        assert ports(world, name) == wanted
        assert len(holders) == 1
    elif state.ended:  # it was good once
        assert BAD_PORT not in ports(world, name)


async def _take(world: World, word: str, name: str) -> None:
    state = world.load_balancer(lb(name))
    exists = state.load_balancer is not None and not state.deleting
    match word:
        case "create" if not state.deleted and state.load_balancer is None:
            await create_at_once(world, name)
        case "good" if exists:
            await add_listener(world, name, 80 + len(state.listeners))
        case "bad" if exists:
            await add_listener(world, name, BAD_PORT)
        case "mend" if exists:
            gone = commands.DeleteListener(load_balancer_id=lb(name), listener_id=listener_id(name, BAD_PORT))
            await world.ask(gone)
        case "delete" if exists:
            await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb(name), cascade=True))
        case "crash":
            await world.restart()
        case "lose" if world.configured:
            gone_id = min(world.configured)
            await world.lost(gone_id)
            world.configured.pop(gone_id)
        case "settle":
            await world.settle()
        case _:
            pass
    await world.step()


async def create_at_once(world: World, name: str) -> None:
    await world.ask(creation(name, room=3))


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=12))
def test_nothing_is_pending_for_ever_when_the_amphorae_fall_silent(script: list[tuple[str, str]]) -> None:
    async def live() -> None:
        world = await a_world(refuses=is_bad)
        for word, name in script:
            await _take(world, word, name)
        world.works = False
        for _ in range(8):
            await world.lapse(2000)
        assert not [name for name in "abcd" if world.load_balancer(lb(name)).pending]

    asyncio.run(live())
