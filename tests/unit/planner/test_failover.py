"""Failover through the real shell: lost, exchanged and removed amphorae, pairs, and a planner that dies in between."""

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders.appliance import Limits
from actium_planner.placement import place
from actium_shared.commands import planner as commands
from actium_shared.ids import AmphoraId
from actium_shared.message import Accepted, Reason, Rejected
from unit.planner.logs import log_of, story
from unit.planner.world import World

FAIL_OVER = commands.FailOverLoadBalancer(load_balancer_id=a.LB)


async def served(topology: str = "SINGLE") -> World:
    world = World(limits=Limits(topology=topology))
    await world.ask(a.create_load_balancer())
    await world.settle()
    assert not world.load_balancer(a.LB).pending
    return world


def amphorae(world: World) -> list[AmphoraId]:
    return [each.id for each in world.appliance(a.LB).ordered()]


async def test_healths_verdict_leads_to_another_amphora_and_the_load_balancer_stays_active() -> None:
    world = await served()
    (first,) = amphorae(world)
    await world.lost(first)
    await world.settle()
    (second,) = amphorae(world)
    assert second != first
    assert world.configured[second].holds_vips
    assert world.configured[second].epoch == 2
    assert (await story(world))[-1] == "loadbalancer.round-ended"
    assert len(await story(world)) == 3


async def test_a_failover_that_is_asked_for_ends_when_all_is_exchanged() -> None:
    for topology in ("SINGLE", "ACTIVE_STANDBY"):
        world = await served(topology)
        before = set(amphorae(world))
        assert isinstance(await world.ask(FAIL_OVER), Accepted)
        await world.settle()
        if topology == "ACTIVE_STANDBY":
            assert world.load_balancer(a.LB).ended == 1
            await world.lapse(11)  # nobody says that the master yields
        assert not before & set(amphorae(world))
        assert len(amphorae(world)) == len(before)
        state = world.load_balancer(a.LB)
        assert (state.ended, state.pending, state.failed) == (2, False, 0)


async def test_an_operators_word_reaches_the_amphora_and_an_unknown_one_is_refused() -> None:
    world = await served()
    (first,) = amphorae(world)
    here = place(a.LB)
    assert isinstance(await world.ask(commands.RemoveAmphora(appliance_id=here, amphora_id=first)), Accepted)
    await world.settle()
    (second,) = amphorae(world)
    bundle = world.configured[second].bundle
    again = commands.ReconfigureAmphora(appliance_id=here, amphora_id=second)
    assert isinstance(await world.ask(again), Accepted)
    await world.settle()
    assert world.configured[second].bundle > bundle
    assert isinstance(await world.ask(commands.FailOverAmphora(appliance_id=here, amphora_id=second)), Accepted)
    await world.settle()
    assert second not in amphorae(world)
    for where in (here, place(a.load_balancer(id="nobody").id)):
        answer = await world.ask(commands.RemoveAmphora(appliance_id=where, amphora_id=first))
        assert isinstance(answer, Rejected)
        assert answer.reason is Reason.NOT_FOUND


async def test_a_pair_is_active_after_few_commits() -> None:
    world = await served("ACTIVE_STANDBY")
    aggregates = [item.aggregate for item in await log_of(world, "EVENTS_PLANNER")]
    assert aggregates[:2] == ["loadbalancer", "appliance"]
    assert aggregates[-1] == "loadbalancer"
    assert len(aggregates) <= 7


acts = st.lists(
    st.sampled_from(
        [
            *["work", "feed", "crash"] * 2,
            "lose-orders",
            "lost",
            "refuse",
            "accept",
            "noboot",
            "boot",
            "failover",
            "wish",
            "lapse",
        ]
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(acts, st.sampled_from(["SINGLE", "ACTIVE_STANDBY"]))
async def test_whatever_happens_and_whenever_the_planner_dies_it_heals_by_itself(
    script: list[str], topology: str
) -> None:
    world = World(works=False, limits=Limits(topology=topology))
    await world.ask(a.create_load_balancer())
    for act in script:
        await _act(world, act)
    world.works = world.boots = world.accepts = True
    await world.restart()
    await world.settle()
    for _ in range(6):
        await world.lapse(1000)
    state, appliance = world.load_balancer(a.LB), world.appliance(a.LB)
    assert (state.pending, state.failed, state.ended) == (False, 0, state.generation)
    assert sorted(each.role for each in appliance.ordered()) == sorted(appliance.roles)
    assert set(world.configured) == set(world.machines) == set(appliance.amphorae)
    assert all(order.load_balancers[0].generation == state.generation for order in world.configured.values())
    before = len(await log_of(world, "EVENTS_PLANNER"))
    world.read.clear()  # everything is delivered once more
    await world.settle()
    assert len(await log_of(world, "EVENTS_PLANNER")) == before


async def _act(world: World, act: str) -> None:
    match act:
        case "work":
            world.works = True
            await world.settle()
            world.works = False
        case "feed":
            await world.step()
        case "crash":
            await world.restart()
        case "lose-orders":
            world.orders.clear()
        case "lost" if world.machines:
            await world.lost(min(world.machines))
        case "refuse" | "accept":
            world.accepts = act == "accept"
        case "noboot" | "boot":
            world.boots = act == "boot"
        case "failover":
            assert isinstance(await world.ask(FAIL_OVER), Accepted)
        case "wish":
            down = world.load_balancer(a.LB).generation % 2 == 0
            changes = commands.LoadBalancerChanges(admin_state_up=down)
            assert isinstance(
                await world.ask(commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=changes)), Accepted
            )
        case "lapse":
            await world.lapse(61)
