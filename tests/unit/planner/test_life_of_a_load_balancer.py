"""Whole lives, through the real shell: created, changed, refused, failed, deleted, and crashes in between."""

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders.appliance import AmphoraState
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import MemberId
from actium_shared.message import Accepted, Reason, Rejected
from actium_shared.wishes import PoolWish
from unit.planner.logs import log_of, story
from unit.planner.world import World


async def test_a_created_load_balancer_becomes_active_in_four_planner_commits() -> None:
    world = World()
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)
    await world.settle()
    assert await story(world) == ["loadbalancer.created", "loadbalancer.placed", "loadbalancer.round-ended"]
    assert not world.load_balancer(a.LB).pending
    aggregates = [item.aggregate for item in await log_of(world, "EVENTS_PLANNER")]
    # The appliance's third commit stands for AmphoraBooted alone: compute puts both outcomes in one commit.
    assert aggregates == ["loadbalancer", "appliance", "appliance", "appliance", "loadbalancer"]


async def test_a_change_made_while_a_round_runs_is_accepted_and_joins_the_next() -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.settle()
    assert isinstance(await world.ask(a.create_pool()), Accepted)
    assert isinstance(await world.ask(a.create_member()), Accepted)
    world.works = True
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.ended, state.pending) == (3, False)
    (configured,) = world.configured.values()
    assert configured.load_balancers[0].pools[0].members == (a.member(),)


async def test_a_refused_configuration_is_an_error_with_its_reason_and_the_next_good_change_heals() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    world.accepts = False
    await world.ask(a.create_listener())
    await world.settle()
    assert world.load_balancer(a.LB).failed == 2
    world.accepts = True
    await world.ask(
        commands.UpdateListener(
            load_balancer_id=a.LB, listener_id=a.LISTENER, changes=commands.ListenerChanges(name="better")
        )
    )
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.failed, state.ended, state.pending) == (0, 3, False)
    assert (await story(world))[-3:] == ["loadbalancer.round-failed", "listener.updated", "loadbalancer.round-ended"]


async def test_boots_that_fail_end_in_an_error_and_heal_when_the_cause_is_gone() -> None:
    world = World(boots=False)
    await world.ask(a.create_load_balancer())
    await world.settle()
    assert world.load_balancer(a.LB).failed == 1
    assert not world.appliance(a.LB).amphorae
    world.boots = True
    await world.lapse(31)
    state = world.load_balancer(a.LB)
    assert (state.failed, state.ended, state.pending) == (0, 1, False)


async def test_silence_ends_in_an_error_and_never_in_pending() -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.settle()
    for _ in range(10):
        await world.lapse(61)
    assert world.load_balancer(a.LB).failed == 1
    assert not world.load_balancer(a.LB).pending


async def test_deletion_clears_everything_away_in_order() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.ask(a.create_listener())
    await world.settle()
    refused = await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.INVALID
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB, cascade=True))
    late = await world.ask(a.create_pool())
    assert isinstance(late, Rejected)
    assert late.reason is Reason.IMMUTABLE
    await world.settle()
    assert (await story(world))[-3:] == [
        "loadbalancer.deletion-requested",
        "loadbalancer.withdrawn",
        "loadbalancer.deleted",
    ]
    assert world.appliance(a.LB).retired
    assert not world.configured
    gone = await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert isinstance(gone, Rejected)
    assert gone.reason is Reason.NOT_FOUND


async def test_deletion_while_nothing_has_booted_yet_ends_too() -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    await world.settle()
    world.works = True
    await world.settle()
    assert world.load_balancer(a.LB).deleted


async def with_a_member_elsewhere() -> World:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.ask(a.create_pool())
    await world.ask(a.create_member(subnet_id=a.TENANT))
    await world.settle()
    assert the_amphora(world).plugged == {a.TENANT}
    return world


def the_amphora(world: World) -> AmphoraState:
    (amphora,) = world.appliance(a.LB).amphorae.values()
    return amphora


async def test_ports_go_when_requests_to_the_last_member_of_their_subnet_have_had_time_to_end() -> None:
    world = await with_a_member_elsewhere()
    await world.ask(commands.DeleteMember(load_balancer_id=a.LB, pool_id=a.POOL, member_id=a.MEMBER))
    await world.settle()
    assert not world.load_balancer(a.LB).pending
    before = await story(world)
    (configured,) = world.configured.values()
    assert configured.member_ports.keys() == {a.TENANT}
    assert not configured.load_balancers[0].pools[0].members
    await world.lapse(world.limits.drain_s - 1)
    assert the_amphora(world).ports == {a.TENANT}
    await world.lapse(2)
    (configured,) = world.configured.values()
    assert not configured.member_ports
    assert (the_amphora(world).ports, the_amphora(world).trimming) == (frozenset(), False)
    assert await story(world) == before
    await world.lapse(world.limits.drain_s)
    assert world.appliance(a.LB).bundle.number == configured.bundle


async def test_a_member_that_comes_before_its_subnets_port_has_gone_keeps_that() -> None:
    world = await with_a_member_elsewhere()
    await world.ask(commands.DeleteMember(load_balancer_id=a.LB, pool_id=a.POOL, member_id=a.MEMBER))
    await world.settle()
    await world.restart()
    await world.ask(a.create_member(subnet_id=a.TENANT, id=MemberId(a.an_id("another"))))
    await world.settle()
    await world.lapse(world.limits.drain_s + 1)
    assert the_amphora(world).ports == {a.TENANT}
    assert not world.appliance(a.LB).bundle.draining


async def test_a_deletion_that_is_late_is_an_error_with_its_reason_and_goes_on() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    world.works = False
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    await world.settle()
    await world.lapse(121)
    assert not world.load_balancer(a.LB).pending
    assert (await story(world))[-1] == "loadbalancer.deletion-delayed"
    world.works = True
    await world.settle()
    assert world.load_balancer(a.LB).deleted


async def test_an_order_that_got_lost_is_sent_again_by_itself() -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    await world.settle()
    world.orders.clear()
    world.works = True
    await world.lapse(151)
    assert world.load_balancer(a.LB).deleted


async def test_a_member_port_that_failed_is_tried_again_with_the_next_change() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.ask(a.create_pool())
    await world.settle()
    world.port_fails = True
    await world.ask(a.create_member(subnet_id=a.TENANT))
    await world.settle()
    assert world.load_balancer(a.LB).failed
    world.port_fails = False
    await world.ask(
        commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(name="again"))
    )
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.failed, state.ended) == (0, state.generation)


async def test_a_member_on_a_new_subnet_waits_for_the_bundle_that_has_its_port() -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.ask(a.create_pool())
    await world.step()
    await world.ask(a.create_member(subnet_id=a.TENANT))
    await world.restart()
    await world.planner.plan_everything()
    orders = [order for order in world.orders if isinstance(order, ConfigureAmphora)]
    for order in orders:
        named = {member.subnet_id for lb in order.load_balancers for pool in lb.pools for member in pool.members}
        assert named <= set(order.member_ports), order
    world.works = True
    await world.settle()
    (configured,) = world.configured.values()
    assert len(configured.load_balancers[0].pools[0].members) == 1


async def test_an_outage_of_compute_does_not_make_amphorae_without_limit() -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.settle()
    for _ in range(200):
        await world.lapse(61)
    assert len(world.appliance(a.LB).amphorae) <= 5
    assert len(await log_of(world, "EVENTS_PLANNER")) < 100
    world.works = True
    await world.lapse(1000)
    await world.lapse(1000)
    state = world.load_balancer(a.LB)
    assert (state.pending, state.failed, state.ended) == (False, 0, 1)


async def test_a_load_balancer_whose_last_amphora_is_lost_for_good_is_not_called_active() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    (lost,) = world.appliance(a.LB).amphorae.values()
    world.boots = False
    await world.boot_fails(lost.id)
    await world.settle()
    assert world.load_balancer(a.LB).failed == 1
    world.boots = True
    await world.lapse(31)
    assert (world.load_balancer(a.LB).failed, world.load_balancer(a.LB).pending) == (0, False)


async def test_what_a_decision_looked_at_and_when_stands_in_its_commit() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    created, admitted, *_ = await log_of(world, "EVENTS_PLANNER")
    assert admitted.commit.reads == {"EVENTS_PLANNER": created.position.sequence}
    assert admitted.commit.decided_at == world.clock.now()


members = st.integers(min_value=1, max_value=4)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("member"), members),
        st.tuples(st.just("gone"), members),
        st.tuples(
            st.sampled_from(
                [
                    "work",
                    "feed",
                    "crash",
                    "lose",
                    "refuse",
                    "accept",
                    "noboot",
                    "boot",
                    "noport",
                    "port",
                    "lapse",
                    "rename",
                ]
            ),
            st.just(0),
        ),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(acts)
async def test_whatever_happens_the_newest_wish_is_served_in_the_end(script: list[tuple[str, int]]) -> None:
    world = World(works=False)
    await world.ask(a.create_load_balancer())
    await world.ask(a.create_pool())
    for act, number in script:
        await _act(world, act, number)
    world.works = world.boots = world.accepts = True
    world.port_fails = False
    await world.restart()
    await world.settle()
    await world.lapse(1000)
    await world.ask(
        commands.UpdateLoadBalancer(
            load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(description="the next good change")
        )
    )
    await world.settle()
    state = world.load_balancer(a.LB)
    assert (state.pending, state.failed, state.ended) == (False, 0, state.generation)
    (configured,) = world.configured.values()
    assert set(configured.load_balancers[0].pools[0].members) == set(state.pools[a.POOL].members.values())
    before = len(await log_of(world, "EVENTS_PLANNER"))
    world.read.clear()  # everything is delivered once more
    await world.settle()
    assert len(await log_of(world, "EVENTS_PLANNER")) == before


async def _act(world: World, act: str, number: int) -> None:
    member_id = MemberId(a.an_id(f"member-{number}"))
    match act:
        case "member":
            subnet_id = a.TENANT if number % 2 else None
            await world.ask(a.create_member(id=member_id, address=f"10.0.0.{number}", subnet_id=subnet_id))
        case "gone":
            await world.ask(commands.DeleteMember(load_balancer_id=a.LB, pool_id=a.POOL, member_id=member_id))
        case "work":
            world.works = True
            await world.settle()
            world.works = False
        case "feed":
            await world.step()
        case "crash":
            await world.restart()
        case "refuse" | "accept":
            world.accepts = act == "accept"
        case "lose":
            world.orders.clear()
        case "noport" | "port":
            world.port_fails = act == "noport"
        case "noboot" | "boot":
            world.boots = act == "boot"
        case "rename":
            served = world.load_balancer(a.LB).ended
            named = commands.LoadBalancerChanges(name=f"name-{world.ids.count}")
            await world.ask(commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=named))
            assert world.load_balancer(a.LB).ended == served, "a name makes nothing served"
        case "lapse":
            await world.lapse(61)


async def test_the_same_create_again_changes_nothing() -> None:
    world = World()
    first = await world.ask(a.create_load_balancer())
    again = await world.ask(a.create_load_balancer())
    assert first == again


async def test_a_single_call_tree_is_one_commit_of_one_wish() -> None:
    world = World()
    whole = commands.CreateLoadBalancer(
        load_balancer_id=a.LB,
        load_balancer=a.load_balancer(),
        listeners=(a.listener(default_pool_id=a.POOL),),
        pools=(PoolWish(pool=a.pool(), members=(a.member(),), health_monitor=a.health_monitor()),),
    )
    await world.ask(whole)
    (recorded,) = await log_of(world, "EVENTS_PLANNER")
    assert [event.TYPE for event in recorded.commit.events] == [
        "loadbalancer.created",
        "pool.created",
        "member.created",
        "healthmonitor.created",
        "listener.created",
    ]
    assert world.load_balancer(a.LB).generation == 1


async def test_one_bad_child_refuses_the_whole_tree() -> None:
    world = World()
    whole = commands.CreateLoadBalancer(
        load_balancer_id=a.LB, load_balancer=a.load_balancer(), listeners=(a.listener(default_pool_id=a.POOL),)
    )
    refused = await world.ask(whole)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.NOT_FOUND
    assert await story(world) == []
