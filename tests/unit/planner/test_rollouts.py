"""Rollouts: what is chosen, waves, pauses and ends. Given, when, then; and whole rollouts through the real shell."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders import rollout
from actium_planner.deciders.appliance import Limits
from actium_planner.deciders.rollout import Context, RolloutState, Running, Status
from actium_planner.placement import place
from actium_planner.states import Contained
from actium_shared.commands import planner as commands
from actium_shared.events import rollout as events
from actium_shared.events.rollout import ReplacementsOrdered, RolloutEvent
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, RolloutId
from actium_shared.message import Accepted, Reason, Rejected
from actium_shared.rollouts import Selection
from unit.planner.test_life_of_a_load_balancer import log_of
from unit.planner.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLLOUT, OTHER = RolloutId(a.an_id("rollout")), RolloutId(a.an_id("other rollout"))
OLD = Selection(image_tag="old")


def running(name: str, appliance: str | None = None, **fields: object) -> Running:
    plain = {"image_tag": "old", "next_image_tag": "new", "driver": "haproxy", "booted_at": NOW - timedelta(days=9)}
    chosen = plain | fields
    return Running(amphora_id=AmphoraId(name), appliance_id=ApplianceId(appliance or name), **chosen)  # type: ignore[arg-type]


def start(**fields: object) -> commands.StartRollout:
    return commands.StartRollout(**({"rollout_id": ROLLOUT, "selection": OLD} | fields))  # type: ignore[arg-type]


def around(
    *fleet: Running, done: Sequence[str] = (), seconds: float = 0, refusals: dict[str, str] | None = None
) -> Context:
    return Context(
        now=NOW + timedelta(seconds=seconds),
        replace_s=300,
        running=lambda: fleet,
        is_replaced=lambda one: one.amphora_id in done,
        refusals={ApplianceId(where): reason for where, reason in (refusals or {}).items()},
    )


def after(*happened: RolloutEvent) -> RolloutState:
    return rollout.fold(RolloutState(), happened)


def started(context: Context, **fields: object) -> list[RolloutEvent]:
    happened = rollout.decide(start(**fields), RolloutState(), context)
    assert not isinstance(happened, Rejected), happened
    return list(happened)


def types(happened: Sequence[RolloutEvent]) -> list[str]:
    return [event.TYPE.removeprefix("rollout.") for event in happened]


def wave(happened: Sequence[RolloutEvent]) -> list[str]:
    (ordered,) = [event for event in happened if isinstance(event, ReplacementsOrdered)]
    return [each.amphora_id for each in ordered.replacements]


def refused(command: commands.RolloutCommand, state: RolloutState, context: Context) -> Rejected:
    answer = rollout.decide(command, state, context)
    assert isinstance(answer, Rejected), answer
    return answer


# -- starting


def test_the_first_wave_begins_with_the_start() -> None:
    happened = started(around(running("a"), running("b"), running("c", image_tag="new")))
    assert types(happened) == ["started", "replacements-ordered"]
    assert wave(happened) == ["a"]
    first = happened[1]
    assert isinstance(first, ReplacementsOrdered)
    assert (first.left, first.replacements[0].image_tag) == (1, "new")


def test_a_wave_has_never_two_of_one_appliance_and_the_standby_goes_first() -> None:
    pair = (running("master", "p", master=True), running("standby", "p"))
    assert wave(started(around(*pair, running("single")), wave_size=5)) == ["single", "standby"]


def test_a_share_of_what_matches_is_rounded_up() -> None:
    fleet = [running(f"a{number}") for number in range(5)]
    assert len(wave(started(around(*fleet), wave_percent=50))) == 3
    assert len(wave(started(around(*fleet), wave_percent=1))) == 1


def test_the_same_start_again_changes_nothing() -> None:
    context = around(running("a"))
    assert rollout.decide(start(), after(*started(context)), context) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"selection": Selection()}, "selection"),
        ({"selection": Selection(image_tag="nobody's")}, "selection"),
        ({"to_image_tag": "old"}, "to_image_tag"),
        ({"to_image_tag": ""}, "to_image_tag"),
        ({"wave_size": 0}, "wave_size"),
        ({"wave_percent": 101}, "wave_percent"),
        ({"pause_between_s": -1.0}, "pause_between_s"),
        ({"max_failures": -1}, "max_failures"),
        ({"selection": Selection(booted_before=datetime(2026, 1, 1))}, "selection.booted_before"),  # noqa: DTZ001
    ],
)
def test_what_makes_no_sense_is_refused_by_name(fields: dict[str, object], field: str) -> None:
    answer = refused(start(**fields), RolloutState(), around(running("a")))
    assert (answer.reason, answer.field) == (Reason.INVALID, field)


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        (OLD, True),
        (Selection(not_image_tag="new"), True),
        (Selection(booted_before=NOW), True),
        (Selection(flavor_id="f"), True),
        (Selection(image_tag="older"), False),
        (Selection(not_image_tag="old"), False),
    ],
)
def test_one_that_may_be_about_the_same_is_refused(other: Selection, overlaps: bool) -> None:
    context = replace(around(running("a")), others={OTHER: other})
    answer = rollout.decide(start(), RolloutState(), context)
    assert (isinstance(answer, Rejected) and answer.reason is Reason.CONFLICT) == overlaps


def test_selections_narrow_by_flavor_driver_age_and_certificate() -> None:
    soon, late = NOW + timedelta(days=1), NOW + timedelta(days=99)
    fleet = (
        running("flavored", flavor_id="f"),
        running("lvs", driver="lvs"),
        running("young", booted_at=NOW - timedelta(seconds=1)),
        running("expiring", certificate_expires_at=soon),
        running("lasting", certificate_expires_at=late),
        running("coming", booted_at=None, there=False),
    )

    def chosen(selection: Selection) -> set[str]:
        return {one.amphora_id for one in fleet if rollout.wanted(selection, one, to_image_tag=None, since=NOW)}

    assert chosen(Selection(flavor_id="f")) == {"flavored"}
    assert chosen(Selection(driver="lvs")) == {"lvs"}
    assert chosen(Selection(certificate_expires_before=NOW + timedelta(days=30))) == {"expiring"}
    assert chosen(Selection(booted_before=NOW - timedelta(days=1))) == {"flavored", "lvs", "expiring", "lasting"}
    assert chosen(Selection(image_tag="old", not_image_tag="old")) == set()


def test_what_the_rollout_has_brought_is_not_replaced_again() -> None:
    forever = Selection(booted_before=NOW + timedelta(days=999))
    brought = running("brought", image_tag="new", booted_at=NOW + timedelta(seconds=9))
    before = running("before", image_tag="new", booted_at=NOW - timedelta(seconds=9))
    assert not rollout.wanted(forever, brought, to_image_tag=None, since=NOW)
    assert rollout.wanted(forever, before, to_image_tag=None, since=NOW)


def test_a_pools_image_is_not_the_rollouts_to_choose() -> None:
    spare = running("s", spare=True, next_image_tag="old")
    assert not rollout.wanted(OLD, spare, to_image_tag="new", since=NOW)


# -- going on


def test_the_next_wave_begins_when_the_last_is_done_and_the_pause_is_over() -> None:
    both = (running("a"), running("b"))
    state = after(*started(around(*both), pause_between_s=60.0))
    assert rollout.advance(state, around(*both, seconds=5)) == []
    done = rollout.advance(state, around(both[1], done=["a"], seconds=10))
    assert types(done) == ["amphora-replaced", "wave-ended"]
    state = rollout.fold(state, done)
    assert list(rollout.deadlines(state)) == [NOW + timedelta(seconds=70)]
    assert rollout.advance(state, around(both[1], seconds=69)) == []
    assert wave(rollout.advance(state, around(both[1], seconds=70))) == ["b"]


def test_it_ends_when_nothing_matches_any_more() -> None:
    state = after(*started(around(running("a"))))
    done = rollout.advance(state, around(done=["a"]))
    assert types(done) == ["amphora-replaced", "wave-ended", "ended"]
    assert rollout.advance(rollout.fold(state, done), around(running("late"))) == []


def test_too_many_failures_pause_it_with_the_reason() -> None:
    fleet = (running("a"), running("b"), running("c"))
    state = after(*started(around(*fleet), wave_size=2, max_failures=1))
    first = rollout.advance(state, around(*fleet, refusals={"a": "no host left"}))
    assert types(first) == ["replacement-failed"]
    state = rollout.fold(state, first)
    second = rollout.advance(state, around(*fleet, seconds=300))
    assert types(second) == ["replacement-failed", "wave-ended", "paused"]
    paused = second[-1]
    assert isinstance(paused, events.RolloutPaused)
    assert paused.reason == "2 could not be replaced, 1 allowed; amphora b: it was not replaced within 300 s"


def test_resumed_it_tries_those_again_that_failed() -> None:
    state = after(*started(around(running("a"))))
    state = rollout.fold(state, rollout.advance(state, around(running("a"), refusals={"a": "no"})))
    assert state.status is Status.PAUSED
    again = rollout.decide(commands.ResumeRollout(rollout_id=ROLLOUT), state, around(running("a")))
    assert not isinstance(again, Rejected)
    assert types(again) == ["resumed", "replacements-ordered"]


def test_a_failure_that_is_allowed_is_left_behind() -> None:
    state = after(*started(around(running("a")), max_failures=1))
    happened = rollout.advance(state, around(running("a"), refusals={"a": "no"}))
    assert types(happened) == ["replacement-failed", "wave-ended", "ended"]


def test_paused_it_finishes_the_wave_and_begins_no_other() -> None:
    both = (running("a"), running("b"))
    state = after(*started(around(*both)))
    pause = commands.PauseRollout(rollout_id=ROLLOUT)
    paused = rollout.decide(pause, state, around(*both))
    assert not isinstance(paused, Rejected)
    assert types(paused) == ["paused"]
    state = rollout.fold(state, paused)
    assert rollout.decide(pause, state, around(*both)) == []
    assert types(rollout.advance(state, around(both[1], done=["a"]))) == ["amphora-replaced", "wave-ended"]


def test_aborted_it_ends_with_what_is_under_way() -> None:
    both = (running("a"), running("b"))
    state = after(*started(around(*both)))
    abort = commands.AbortRollout(rollout_id=ROLLOUT)
    aborted = rollout.decide(abort, state, around(*both))
    assert not isinstance(aborted, Rejected)
    state = rollout.fold(state, aborted)
    assert types(aborted) == ["aborted"]
    assert refused(commands.ResumeRollout(rollout_id=ROLLOUT), state, around(*both)).reason is Reason.CONFLICT
    ended = rollout.advance(state, around(both[1], done=["a"]))
    assert types(ended) == ["amphora-replaced", "wave-ended", "ended"]
    assert isinstance(ended[-1], events.RolloutEnded)
    assert ended[-1].left == 1
    assert refused(abort, rollout.fold(state, ended), around()).reason is Reason.CONFLICT


def test_an_unknown_one_is_not_found() -> None:
    for command in (commands.PauseRollout, commands.ResumeRollout, commands.AbortRollout):
        assert refused(command(rollout_id=OTHER), RolloutState(), around()).reason is Reason.NOT_FOUND


# -- whole rollouts, through the real shell


def lb(number: int) -> LoadBalancerId:
    return LoadBalancerId(a.an_id(f"lb-{number}"))


async def fleet_of(*topologies: str, spares: int = 0) -> World:
    """Give a world with an appliance each that boot from `old`, now that new ones boot from `new`."""
    world = World(limits=Limits(image_tag="old", spare_pool_size=spares), hosts=("h1", "h2", "h3", "h4"))
    for number, topology in enumerate(topologies):
        vip = a.vip(port_id=PortId(f"vip-{number}"), address=f"203.0.113.{number + 10}")
        flavor = {"loadbalancer_topology": topology}
        await world.ask(a.create_load_balancer(id=lb(number), vip=vip, flavor=flavor))
    await world.settle()
    world.limits = replace(world.limits, image_tag="new")
    await world.restart()
    await world.settle()
    return world


def images(world: World) -> list[str]:
    return sorted(boot.image_tag for _, boot in world.machines.values())


def state_of(world: World, rollout_id: RolloutId = ROLLOUT) -> RolloutState:
    return world.states.rollouts.state(rollout_id)


async def told(world: World) -> list[RolloutEvent]:
    log = await log_of(world, "EVENTS_PLANNER")
    return [event for item in log if item.aggregate == "rollout" for event in item.commit.events]  # type: ignore[misc]


async def yielded(world: World) -> None:
    """Let as much time pass as masters have to yield: nobody's keepalived says anything here."""
    for _ in range(12):
        await world.lapse(11)


async def test_all_of_an_image_are_replaced_one_after_the_other() -> None:
    world = await fleet_of("SINGLE", "ACTIVE_STANDBY")
    assert images(world) == ["old"] * 3
    assert isinstance(await world.ask(start()), Accepted)
    await world.settle()
    await yielded(world)
    assert images(world) == ["new"] * 3
    happened = await told(world)
    assert types(happened).count("amphora-replaced") == 3
    assert types(happened)[-1] == "ended"
    assert all(not world.load_balancer(lb(number)).pending for number in (0, 1))


async def test_who_is_lost_later_comes_back_with_the_new_image() -> None:
    world = await fleet_of("SINGLE")
    await world.ask(start(to_image_tag="newer"))
    await world.settle()
    await world.lost(min(world.machines))
    await world.settle()
    assert images(world) == ["newer"]


async def test_an_image_that_does_not_boot_pauses_it_and_the_old_one_serves_on_and_stays_what_others_boot_from() -> (
    None
):
    world = await fleet_of("SINGLE", "SINGLE")
    before = set(world.machines)
    world.boots = False
    await world.ask(start())
    await world.settle()
    assert state_of(world).status is Status.PAUSED
    assert set(world.machines) == before
    for number in (0, 1):
        (member,) = world.states.appliances.state(place(lb(number))).serving()
        assert not member.leaving
        assert world.states.appliances.state(place(lb(number))).image_tag == "old"
    world.boots = True
    for _ in range(5):
        await world.lapse(1000)
    assert images(world) == ["old", "old"]
    await world.ask(commands.ResumeRollout(rollout_id=ROLLOUT))
    await world.settle()
    assert images(world) == ["new", "new"]


async def test_spares_of_the_old_image_take_no_place_in_a_rollout_to_another_and_are_replaced_for_their_age() -> None:
    world = await fleet_of("SINGLE", spares=1)
    assert images(world) == ["new", "old"]  # the pool has followed by itself
    await world.ask(start(to_image_tag="newer"))
    await world.settle()
    assert images(world) == ["new", "newer"]
    (pool,) = [held.state for _, held in world.states.spares]
    (spare,) = pool.waiting()
    world.clock.time += timedelta(days=1)
    await world.ask(start(rollout_id=OTHER, selection=Selection(booted_before=world.clock.time, image_tag="new")))
    await world.settle()
    (pool,) = [held.state for _, held in world.states.spares]
    assert spare not in pool.waiting()
    assert len(pool.waiting()) == 1
    assert not state_of(world, OTHER).is_active


async def test_two_that_overlap_are_refused_while_one_has_not_ended() -> None:
    world = await fleet_of("SINGLE")
    world.works = False
    assert isinstance(await world.ask(start()), Accepted)
    answer = await world.ask(start(rollout_id=OTHER, selection=Selection(not_image_tag="new")))
    assert isinstance(answer, Rejected)
    assert ROLLOUT in answer.detail
    world.works = True
    await world.settle()
    again = await world.ask(start(rollout_id=OTHER, selection=Selection(not_image_tag="new")))
    assert isinstance(again, Rejected)
    assert again.field == "selection"  # it has ended, and nothing matches any more


acts = st.lists(
    st.sampled_from(
        [
            *["work", "feed", "crash", "lapse"] * 2,
            "lose-orders",
            "lost",
            "noboot",
            "boot",
            "pause",
            "resume",
            "failover",
        ]
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(acts, st.integers(1, 3), st.integers(0, 2), st.booleans())
async def test_whatever_happens_it_ends_or_says_why_it_waits_and_never_touches_two_of_one_appliance(
    script: list[str], wave_size: int, max_failures: int, abort: bool
) -> None:
    world = await fleet_of("SINGLE", "ACTIVE_STANDBY")
    world.works = False
    await world.ask(start(wave_size=wave_size, max_failures=max_failures))
    for act in script:
        await _act(world, act)
    if abort:
        await world.ask(commands.AbortRollout(rollout_id=ROLLOUT))
    ordered = len([event for event in await told(world) if isinstance(event, ReplacementsOrdered)])
    world.works = world.boots = True
    await world.restart()
    for _ in range(8):
        await world.settle()
        await world.lapse(500)
    happened, state = await told(world), state_of(world)
    _never_two_of_one_appliance(happened)
    if abort:
        assert len([event for event in happened if isinstance(event, ReplacementsOrdered)]) == ordered
        assert state.status is Status.ENDED
    elif state.status is Status.PAUSED:
        assert [event.reason for event in happened if isinstance(event, events.RolloutPaused)]
    else:
        assert state.status is Status.ENDED
        assert "old" not in images(world) or state.failed
    assert not state.under_way
    assert not any(each.leaving for n in (0, 1) for each in world.states.appliances.state(place(lb(n))).serving())


def _never_two_of_one_appliance(happened: Sequence[RolloutEvent]) -> None:
    under_way: dict[AmphoraId, ApplianceId] = {}
    for event in happened:
        match event:
            case ReplacementsOrdered():
                assert not under_way
                under_way |= {each.amphora_id: each.appliance_id for each in event.replacements}
                assert len(set(under_way.values())) == len(under_way)
            case events.AmphoraReplaced(amphora_id=over) | events.ReplacementFailed(amphora_id=over):
                del under_way[over]
            case _:
                pass


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
        case "lapse":
            await world.lapse(61)
        case "lose-orders":
            world.orders.clear()
        case "lost" if world.machines:
            await world.lost(min(world.machines))
        case "noboot" | "boot":
            world.boots = act == "boot"
        case "pause":
            await world.ask(commands.PauseRollout(rollout_id=ROLLOUT))
        case "resume":
            await world.ask(commands.ResumeRollout(rollout_id=ROLLOUT))
        case "failover":
            await world.ask(commands.FailOverLoadBalancer(load_balancer_id=lb(1)))


# -- two planners


async def another_planner(world: World) -> World:
    """Give a second planner of the same log, which has read it up to now."""
    other = World(store=world.store, clock=world.clock, limits=world.limits, hosts=world.hosts, works=False)
    other.ids.count = 1_000_000
    await other.restart()
    other.read = dict(world.read)
    return other


def ordered(happened: Sequence[RolloutEvent]) -> list[str]:
    waves = [event for event in happened if isinstance(event, ReplacementsOrdered)]
    return [each.amphora_id for event in waves for each in event.replacements]


async def test_a_planner_that_lags_behind_orders_nothing_again_that_another_has_replaced() -> None:
    world = await fleet_of("SINGLE", "SINGLE")
    await world.ask(start(pause_between_s=100))
    lagging = await another_planner(world)
    await world.settle()
    assert types(await told(world)).count("amphora-replaced") == 1
    assert isinstance(await lagging.ask(commands.PauseRollout(rollout_id=ROLLOUT)), Accepted)
    world.clock.time += timedelta(seconds=101)
    assert isinstance(await lagging.ask(commands.ResumeRollout(rollout_id=ROLLOUT)), Accepted)
    assert len(ordered(await told(world))) == 1
    for _ in range(4):  # whoever is first
        await lagging.settle()
        await world.settle()
    await world.lapse(101)
    happened = await told(world)
    assert len(ordered(happened)) == len(set(ordered(happened))) == 2
    assert types(happened).count("wave-ended") == types(happened).count("amphora-replaced") == 2
    assert types(happened)[-1] == "ended"
    assert images(world) == ["new"] * 2


async def test_of_two_that_began_at_two_planners_and_overlap_the_later_ends() -> None:
    world = await fleet_of("SINGLE", "SINGLE", "SINGLE")
    other = await another_planner(world)
    await world.ask(start())
    world.clock.time += timedelta(seconds=1)
    assert isinstance(await other.ask(start(rollout_id=OTHER, selection=Selection(driver="haproxy"))), Accepted)
    for _ in range(4):
        await other.settle()
        await world.settle()
    assert state_of(world).status is Status.ENDED
    assert state_of(world, OTHER).status is Status.ENDED
    aborted = [event for event in await told(world) if isinstance(event, events.RolloutAborted)]
    assert [event.rollout_id for event in aborted] == [OTHER]
    assert ROLLOUT in aborted[0].reason
    assert images(world) == ["new"] * 3


def test_a_log_is_known_as_far_as_it_has_no_gap() -> None:
    contained = Contained()
    for sequence, position in ((1, 1), (3, 1), (4, 1), (2, 4), (9, 4)):
        contained.add(sequence)
        assert contained.position == position
    contained.reach(8)
    assert contained.position == 9
