"""Pools of spares: kept full, spread, trimmed, handed out, replaced. Given what happened, when, then; and whole lives."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders import spares
from actium_planner.deciders.appliance import Limits
from actium_planner.deciders.spares import Context, Sizing, SparesState, Stage, pool_id
from actium_planner.plans import spares as plans
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora, DeleteAmphora
from actium_shared.commands.network import FINAL_REVISION, SettlePorts
from actium_shared.events import amphora as amphorae
from actium_shared.events import health, network
from actium_shared.events import spares as events
from actium_shared.events.appliance import SpareSought
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import AmphoraId, ApplianceId, PortId
from actium_shared.message import Accepted, Event, Reason, Rejected
from unit.planner.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POOL = pool_id(None, None)
APPLIANCE = ApplianceId(a.an_id("appliance"))
POOLS = ApplianceId(POOL)
"""What stands for an appliance while it is a spare."""
LIMITS = spares.Limits()


def at(seconds: float = 0) -> Context:
    return Context(now=NOW + timedelta(seconds=seconds), limits=LIMITS)


def sized(size: int, image_tag: str = "default", state: SparesState | None = None) -> SparesState:
    before = state or SparesState()
    return spares.fold(before, spares.resize(POOL, before, Sizing(size=size, image_tag=image_tag), at()))


def after(state: SparesState, *happened: Event, seconds: float = 0) -> SparesState:
    """Give the pool after it has followed these."""
    for event in happened:
        state = spares.fold(state, spares.follow(event, state, at(seconds)))
    return state


def appointed(state: SparesState) -> list[AmphoraId]:
    return [spare.id for spare in state.ordered(Stage.APPOINTED)]


def booted(amphora_id: AmphoraId, host: str = "host-1") -> amphorae.AmphoraBooted:
    return amphorae.AmphoraBooted(
        amphora_id=amphora_id,
        appliance_id=POOLS,
        compute_id="c",
        host=host,
        image_tag="default",
        management_address="10.250.1.1",
        heartbeat_key_version=1,
        certificate_expires_at=NOW,
    )


def boot_failed(amphora_id: AmphoraId) -> amphorae.AmphoraBootFailed:
    return amphorae.AmphoraBootFailed(amphora_id=amphora_id, appliance_id=POOLS, reason="no host left")


def lost(amphora_id: AmphoraId) -> health.AmphoraLost:
    return health.AmphoraLost(amphora_id=amphora_id, appliance_id=POOLS, last_heard_at=NOW, reason="silent for 3 s")


def deleted(amphora_id: AmphoraId) -> amphorae.AmphoraDeleted:
    return amphorae.AmphoraDeleted(amphora_id=amphora_id, appliance_id=POOLS)


def settled(amphora_id: AmphoraId, revision: int = FINAL_REVISION) -> network.PortsSettled:
    return network.PortsSettled(amphora_id=amphora_id, appliance_id=POOLS, revision=revision)


def sought(search: int = 1, *avoid: str) -> SpareSought:
    return SpareSought(appliance_id=APPLIANCE, spares_id=POOL, search=search, role="STANDALONE", avoid_hosts=avoid)


def full(*hosts: str) -> SparesState:
    """Give a pool of which one is ready on each of these hosts."""
    state = sized(len(hosts))
    return after(state, *(booted(amphora_id, host) for amphora_id, host in zip(appointed(state), hosts, strict=True)))


def types(happened: Sequence[SparesEvent] | Rejected) -> list[str]:
    assert not isinstance(happened, Rejected)
    return [event.TYPE.removeprefix("spares.") for event in happened]


# -- sizes


def test_a_pool_is_filled_at_once() -> None:
    assert types(spares.resize(POOL, SparesState(), Sizing(size=2, image_tag="x"), at())) == [
        "sized",
        "spare-appointed",
        "spare-appointed",
    ]


def test_a_pool_of_none_needs_no_pool() -> None:
    assert spares.resize(POOL, SparesState(), Sizing(size=0, image_tag="x"), at()) == []


def test_the_same_size_again_changes_nothing() -> None:
    assert spares.resize(POOL, sized(2), Sizing(size=2, image_tag="default"), at()) == []


def test_what_is_still_to_come_is_trimmed_before_what_is_ready() -> None:
    state = sized(2)
    ready, coming = appointed(state)
    state = after(state, booted(ready))
    happened = spares.resize(POOL, state, Sizing(size=1, image_tag="default"), at())
    assert [event.amphora_id for event in happened if isinstance(event, events.SpareDismissed)] == [coming]


def test_of_those_that_are_ready_one_goes_from_where_most_are() -> None:
    state = full("host-1", "host-2", "host-2")
    grown = spares.fold(state, spares.resize(POOL, state, Sizing(size=2, image_tag="default"), at()))
    assert {spare.host for spare in grown.waiting()} == {"host-1", "host-2"}


def test_a_pool_that_is_ended_lets_all_go() -> None:
    state = full("host-1", "host-2")
    grown = spares.fold(state, spares.resize(POOL, state, Sizing(size=0, image_tag="default"), at()))
    assert not grown.waiting()
    assert len(grown.uncleared()) == 2


def test_another_image_replaces_them_all() -> None:
    state = full("host-1", "host-2")
    grown = sized(2, "v2", state)
    assert len(grown.uncleared()) == 2
    assert len(appointed(grown)) == 2
    boots = [order for order in plans.plan(grown, LIMITS).orders if isinstance(order, BootAmphora)]
    assert {order.image_tag for order in boots} == {"v2"}


# -- handing out


def test_a_search_is_answered_with_one_that_is_ready_and_the_pool_is_filled_again() -> None:
    state = full("host-1")
    happened = spares.follow(sought(7), state, at())
    assert types(happened) == ["spare-handed-out", "spare-appointed"]
    handed_out = happened[0]
    assert isinstance(handed_out, events.SpareHandedOut)
    assert (handed_out.appliance_id, handed_out.search, handed_out.host) == (APPLIANCE, 7, "host-1")
    assert handed_out.amphora_id not in spares.fold(state, happened).spares


def test_a_search_that_avoids_hosts_gets_none_from_there() -> None:
    state = full("host-1", "host-2")
    first = after(state, sought(1, "host-1"))
    assert [spare.host for spare in first.ordered(Stage.READY)] == ["host-1"]
    (denied,) = spares.follow(sought(2, "host-1"), first, at())
    assert isinstance(denied, events.SpareDenied)
    assert denied.search == 2
    assert "host-1" in denied.reason


def test_what_has_not_booted_is_not_handed_out() -> None:
    assert types(spares.follow(sought(), sized(1), at())) == ["spare-denied"]


def test_a_pool_that_does_not_exist_denies() -> None:
    (denied,) = spares.follow(sought(), SparesState(), at())
    assert isinstance(denied, events.SpareDenied)
    assert denied.spares_id == POOL


def test_handing_out_keeps_the_rest_spread() -> None:
    state = after(full("host-1", "host-1", "host-2"), sought())
    assert sorted(spare.host for spare in state.ordered(Stage.READY)) == ["host-1", "host-2"]


def test_a_new_one_had_better_come_to_another_host() -> None:
    state = after(full("host-1", "host-2"), sought(1, "host-1"))
    (spare,) = state.ordered(Stage.APPOINTED)
    assert spare.avoid_hosts == ("host-1",)
    boot = next(order for order in plans.plan(state, LIMITS).orders if isinstance(order, BootAmphora))
    assert (boot.prefer_not_hosts, boot.avoid_hosts, boot.spread) == (("host-1",), (), POOL)


# -- what goes wrong


def test_one_that_does_not_boot_is_followed_by_a_pause_that_grows() -> None:
    state, pauses, now_s = sized(1), [], 0.0
    for _ in range(8):
        (amphora_id,) = appointed(state)
        state = after(state, boot_failed(amphora_id), deleted(amphora_id), settled(amphora_id), seconds=now_s)
        assert not appointed(state)
        assert state.retry_at is not None
        assert list(spares.deadlines(state)) == [state.retry_at]
        pause_s = (state.retry_at - NOW).total_seconds() - now_s
        pauses.append(pause_s)
        now_s += pause_s
        state = spares.fold(state, spares.lapse(state, at(now_s)))
    assert pauses == [30, 60, 120, 240, 480, 960, 960, 960]


def test_many_that_fail_at_once_are_one_failure_and_then_one_is_tried() -> None:
    state = sized(5)
    state = after(state, *(boot_failed(amphora_id) for amphora_id in appointed(state)))
    assert state.failures == 1
    for spare in state.uncleared():
        state = after(state, deleted(spare.id), settled(spare.id))
    state = spares.fold(state, spares.lapse(state, at(31)))
    (tried,) = appointed(state)
    state = after(state, booted(tried), seconds=40)
    assert (state.failures, len(state.waiting())) == (0, 5)


def test_one_that_is_late_is_dismissed() -> None:
    state = sized(1)
    happened = spares.lapse(state, at(61))
    assert types(happened) == ["spare-dismissed", "failed"]


def test_one_that_is_lost_is_replaced_without_a_pause() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    happened = spares.follow(lost(ready.id), state, at())
    assert types(happened) == ["spare-dismissed", "spare-appointed"]
    assert spares.follow(lost(ready.id), spares.fold(state, happened), at()) == []


def test_news_of_one_that_was_handed_out_goes_on_to_its_appliance() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    state = after(state, sought())
    for news in (lost(ready.id), deleted(ready.id), boot_failed(ready.id)):
        (told,) = spares.follow(news, state, at())
        assert isinstance(told, events.HandedOutSpareLost)
        assert (told.amphora_id, told.appliance_id) == (ready.id, APPLIANCE)
    assert spares.follow(lost(AmphoraId("nobody")), state, at()) == []


def test_one_whose_machine_was_deleted_by_others_is_replaced() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    assert types(spares.follow(deleted(ready.id), state, at())) == [
        "spare-dismissed",
        "spare-shut-down",
        "spare-appointed",
    ]


def test_a_management_port_that_cannot_be_had_is_a_failure_and_old_news_of_one_is_not() -> None:
    state = sized(1)
    (coming,) = appointed(state)
    failed = network.PortFailed(amphora_id=coming, appliance_id=POOLS, port_id=PortId("p"), reason="out of addresses")
    assert types(spares.follow(failed, state, at())) == ["spare-dismissed", "failed"]
    assert spares.follow(failed, after(state, booted(coming)), at()) == []


def test_no_more_are_appointed_while_too_many_have_not_been_cleared_away() -> None:
    state = full("host-1")
    for _ in range(10):
        for spare in state.waiting():
            state = after(state, booted(spare.id), lost(spare.id))
    assert len(state.uncleared()) == 4
    assert not state.waiting()
    gone = state.uncleared()[0].id
    state = after(state, deleted(gone), settled(gone))
    assert len(state.waiting()) == 1


# -- operators


def test_a_spare_that_an_operator_removes_is_made_anew() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    for kind in (commands.RemoveAmphora, commands.FailOverAmphora):
        command = kind(appliance_id=POOLS, amphora_id=ready.id)
        happened = spares.decide(command, state, at())
        assert types(happened) == ["spare-dismissed", "spare-appointed"]
        assert not isinstance(happened, Rejected)
        assert spares.decide(command, spares.fold(state, happened), at()) == []


def test_a_spare_has_nothing_to_be_configured() -> None:
    state = full("host-1")
    command = commands.ReconfigureAmphora(appliance_id=POOLS, amphora_id=state.waiting()[0].id)
    assert spares.decide(command, state, at()) == []


def test_an_amphora_that_is_not_there_is_not_found() -> None:
    command = commands.RemoveAmphora(appliance_id=POOLS, amphora_id=AmphoraId("nobody"))
    answer = spares.decide(command, full("host-1"), at())
    assert isinstance(answer, Rejected)
    assert answer.reason is Reason.NOT_FOUND


# -- plans


def test_a_spare_has_a_management_port_and_no_other() -> None:
    settle, boot = plans.plan(sized(1), LIMITS).orders
    assert isinstance(settle, SettlePorts)
    assert isinstance(boot, BootAmphora)
    assert [port.subnet_id for port in settle.ports] == [None]
    assert (boot.vip_port_id, boot.appliance_id, settle.revision) == (None, POOLS, 1)


def test_one_that_is_dismissed_is_deleted_and_then_its_port_is() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    state = spares.fold(state, spares.resize(POOL, state, Sizing(size=0, image_tag="default"), at()))
    assert [type(order) for order in plans.plan(state, LIMITS).orders] == [DeleteAmphora]
    state = after(state, deleted(ready.id))
    (order,) = plans.plan(state, LIMITS).orders
    assert isinstance(order, SettlePorts)
    assert (order.revision, order.ports) == (FINAL_REVISION, ())
    assert not after(state, settled(ready.id)).spares


# -- whatever happens

numbers = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("size"), st.integers(0, 4)),
    st.tuples(st.just("image"), st.integers(1, 2)),
    *(
        st.tuples(st.just(word), numbers)
        for word in ("boot", "fail", "lose", "delete", "clear", "seek", "remove", "wait")
    ),
)


def happens(step: tuple[str, int], state: SparesState, now: datetime) -> Sequence[SparesEvent]:
    """Give what a step leads to, for one of the spares that there are or were."""
    word, number = step
    context = Context(now=now, limits=LIMITS)
    known = sorted(state.spares) or [AmphoraId("nobody")]
    one = known[number % len(known)]
    match word:
        case "size" | "image":
            size, image = (number, state.image_tag or "v1") if word == "size" else (state.size, f"v{number}")
            return spares.resize(POOL, state, Sizing(size=size, image_tag=image), context)
        case "seek":
            return spares.follow(sought(number), state, context)
        case "remove":
            command = commands.RemoveAmphora(appliance_id=POOLS, amphora_id=one)
            decision = spares.decide(command, state, context)
            return [] if isinstance(decision, Rejected) else decision
        case "wait":
            return spares.lapse(state, context)
        case _:
            news = {
                "boot": booted(one, f"host-{number % 3}"),
                "fail": boot_failed(one),
                "lose": lost(one),
                "delete": deleted(one),
                "clear": settled(one),
            }
            return spares.follow(news[word], state, context)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=60))
def test_a_pool_never_has_too_many_and_comes_to_its_size_when_all_goes_well(script: list[tuple[str, int]]) -> None:
    state, now = SparesState(), NOW
    told: list[SparesEvent] = []
    given_away: set[AmphoraId] = set()
    for step in script:
        now += timedelta(seconds=step[1] * 10 if step[0] == "wait" else 0)
        happened = happens(step, state, now)
        state = spares.fold(state, happened)
        told += happened
        assert len(state.waiting()) <= state.size
        assert len(state.spares) <= 2 * max(4, state.size) + 4
        for event in happened:
            if isinstance(event, events.SpareHandedOut):
                assert event.amphora_id not in given_away
                given_away.add(event.amphora_id)
    assert spares.fold(SparesState(), told) == state
    _comes_to_rest(state, now)


def _comes_to_rest(state: SparesState, now: datetime) -> None:
    """From now on every order is followed, and time passes."""
    for _ in range(60):
        if len(state.ordered(Stage.READY)) == state.size and not state.uncleared():
            break
        for spare in state.ordered(*Stage):
            news = {
                Stage.APPOINTED: booted(spare.id),
                Stage.DISMISSED: deleted(spare.id),
                Stage.SHUT_DOWN: settled(spare.id),
            }
            if spare.stage in news:
                happened = spares.follow(news[spare.stage], state, Context(now=now, limits=LIMITS))
                state = spares.fold(state, happened)
        now = max([now, *spares.deadlines(state)])
        state = spares.fold(state, spares.lapse(state, Context(now=now, limits=LIMITS)))
    assert len(state.ordered(Stage.READY)) == state.size
    assert not state.uncleared()


# -- whole lives


async def a_world_with_spares(size: int) -> World:
    world = World(limits=Limits(spare_pool_size=size))
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)
    await world.settle()
    return world


def ready(world: World) -> list[str]:
    return [spare.host for spare in world.states.spares.state(POOL).ordered(Stage.READY)]


async def test_the_first_load_balancer_brings_the_pool_and_its_spares_are_spread() -> None:
    world = await a_world_with_spares(3)
    assert sorted(ready(world)) == ["host-1", "host-2", "host-3"]


async def test_without_a_size_nothing_extra_exists() -> None:
    world = await a_world_with_spares(0)
    assert len(world.machines) == 1
    assert not list(world.states.spares)


async def test_more_spares_than_hosts_wedge_nothing() -> None:
    world = World(limits=Limits(spare_pool_size=5), hosts=("host-1", "host-2"))
    await world.ask(a.create_load_balancer())
    await world.settle()
    assert len(ready(world)) == 5


async def test_a_spare_takes_the_place_of_one_that_is_lost_and_the_pool_is_full_again() -> None:
    world = await a_world_with_spares(1)
    (spare,) = world.states.spares.state(POOL).waiting()
    (serving,) = world.appliance(a.LB).serving()
    await world.lost(serving.id)
    await world.settle()
    assert [amphora.id for amphora in world.appliance(a.LB).serving()] == [spare.id]
    assert world.configured[spare.id].appliance_id == world.appliance(a.LB).id
    assert len(ready(world)) == 1
    assert not world.load_balancer(a.LB).pending


async def test_what_was_a_spare_is_replaced_when_it_is_lost_under_its_old_name() -> None:
    world = await a_world_with_spares(1)
    (serving,) = world.appliance(a.LB).serving()
    await world.lost(serving.id)
    await world.settle()
    (second,) = world.appliance(a.LB).serving()
    assert world.machines[second.id][1].appliance_id == POOLS
    await world.lost(second.id)
    await world.settle()
    assert second.id not in [amphora.id for amphora in world.appliance(a.LB).serving()]
    assert len(world.appliance(a.LB).serving()) == 1
    assert len(ready(world)) == 1


async def test_spares_that_are_lost_or_removed_are_made_anew() -> None:
    world = await a_world_with_spares(2)
    first, second = world.states.spares.state(POOL).waiting()
    await world.lost(first.id)
    removal = commands.RemoveAmphora(appliance_id=POOLS, amphora_id=second.id)
    assert isinstance(await world.ask(removal), Accepted)
    await world.settle()
    assert len(ready(world)) == 2
    assert {first.id, second.id}.isdisjoint(world.machines)


async def test_a_planner_that_comes_back_with_other_settings_resizes_and_replaces() -> None:
    world = await a_world_with_spares(1)
    world.limits = Limits(spare_pool_size=2, image_tag="v2")
    await world.restart()
    await world.settle()
    assert len(ready(world)) == 2
    pool = [order for _, order in world.machines.values() if order.appliance_id == POOLS]
    assert {order.image_tag for order in pool} == {"v2"}


async def test_a_pool_follows_its_flavor_and_ends_with_it() -> None:
    world = World()
    profile = FlavorProfile(
        id=a.an_id("profile"),
        name="p",
        provider_name="actium",
        flavor_data='{"spare_pool_size": 2, "amp_image_tag": "tried"}',
    )
    flavor = Flavor(id=a.an_id("flavor"), name="f", description="", enabled=True, flavor_profile_id=profile.id)
    await world.ask(commands.CreateFlavorProfile(flavor_profile=profile))
    await world.ask(commands.CreateFlavor(flavor=flavor))
    await world.ask(a.create_load_balancer(flavor_id=flavor.id))
    await world.settle()
    pool = world.states.spares.state(pool_id(flavor.id, None))
    assert (len(pool.ordered(Stage.READY)), pool.image_tag) == (2, "tried")
    assert not world.states.spares.state(POOL).waiting()
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    await world.settle()
    assert isinstance(await world.ask(commands.DeleteFlavor(flavor_id=flavor.id)), Accepted)
    await world.settle()
    assert not world.machines


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["lose", "lose-spare", "crash", "change", "remove"]), max_size=8), st.integers(0, 2))
def test_whatever_is_lost_it_serves_again_and_the_pool_is_full(script: list[str], size: int) -> None:
    async def live() -> None:
        world = await a_world_with_spares(size)
        for step in script:
            await _suffer(world, step)
        for _ in range(8):
            await world.lapse(120)
        appliance = world.appliance(a.LB)
        assert len(appliance.serving()) == 1
        assert len(ready(world)) == size
        assert set(world.machines) == {each.id for each in appliance.serving()} | set(
            world.states.spares.state(POOL).spares
        )
        state = world.load_balancer(a.LB)
        assert (state.pending, state.failed, state.ended) == (False, 0, state.generation)

    asyncio.run(live())


async def _suffer(world: World, step: str) -> None:
    serving = [each.id for each in world.appliance(a.LB).serving() if each.id in world.machines]
    waiting = [each.id for each in world.states.spares.state(POOL).waiting() if each.id in world.machines]
    match step:
        case "lose" if serving:
            await world.lost(serving[0])
        case "lose-spare" if waiting:
            await world.lost(waiting[0])
        case "remove" if waiting:
            await world.ask(commands.RemoveAmphora(appliance_id=POOLS, amphora_id=waiting[0]))
        case "crash":
            await world.restart()
        case "change":
            await world.ask(a.create_listener(id=a.an_id(f"listener {world.ids.new()}"), protocol_port=80))
        case _:
            pass
    await world.step()
