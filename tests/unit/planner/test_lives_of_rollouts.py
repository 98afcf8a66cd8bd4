"""Whole rollouts through the real shell: of amphorae, pairs and spares; by one planner, and by two at once."""

from collections.abc import Sequence
from datetime import timedelta

from actium_planner.deciders.rollout import Status
from actium_planner.placement import place
from actium_planner.states import Contained
from actium_shared.commands import planner as commands
from actium_shared.events import rollout as events
from actium_shared.events.rollout import ReplacementsOrdered, RolloutEvent
from actium_shared.message import Accepted, Rejected
from actium_shared.rollouts import Selection
from unit.planner.rollouts import OTHER, ROLLOUT, fleet_of, images, lb, start, state_of, told, types
from unit.planner.world import World


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
