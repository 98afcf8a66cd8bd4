"""How long what follows from a creation gives way to others that are still to be answered; and what never waits."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

import builders as a
from actium_planner.courtesy import CROWD, HURRY_S, LATE_MOST_S, LOOK_S, LULL_S, WITHIN_S, Courtesy
from actium_shared.commands import planner as commands
from actium_shared.event_store import Recorded, commit_envelope
from actium_shared.events.appliance import BundleApplied
from actium_shared.events.load_balancer import LoadBalancerDeleted, RoundEnded
from actium_shared.ids import LoadBalancerId
from actium_shared.message import ClockCause, Command, Commit, Event, Position
from unit.planner.world import START, HandClock, World

LISTENED_AT_MOST_S = 10 * LATE_MOST_S
CREATION = a.create_load_balancer()
CHANGE = commands.DeleteLoadBalancer(load_balancer_id=a.LB, cascade=False)


@dataclass
class Crowd(HandClock):
    """While somebody waits, others ask: each of `asks` at its time."""

    asks: list[tuple[float, Command]] = field(default_factory=list)
    courtesy: Courtesy = field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.courtesy = Courtesy(self)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        assert self.monotonic() < LISTENED_AT_MOST_S, "it waits for ever"
        while self.asks and self.asks[0][0] <= self.monotonic():
            self.courtesy.asked(self.asks.pop(0)[1])

    async def waits_s(self, event: Event) -> float:
        """Say how long it takes until what just came to the log may be followed up."""
        began = self.monotonic()
        await self.courtesy.give_way([on_the_log(event, self)])
        return self.monotonic() - began


def on_the_log(event: Event, clock: HandClock, *, ago_s: float = 0.0) -> Recorded:
    stored_at = clock.now() - timedelta(seconds=ago_s)
    commit = Commit(id="c", events=(event,), cause=ClockCause(deadline=START), decided_at=stored_at)
    envelope = commit_envelope(commit, source="planner", correlation_id="c")
    return Recorded(commit=commit, envelope=envelope, subject="s", position=Position("S", 1), stored_at=stored_at)


def burst(*, every_s: float = 0.005, for_s: float = 0.0, then: Command | None = None) -> Crowd:
    """Give a crowd that has just begun to ask, goes on for so long, and then asks for something else."""
    count = round(for_s / every_s)
    last = [(count * every_s, then)] if then else []
    crowd = Crowd(asks=[*((number * every_s, CREATION) for number in range(1, count + 1)), *last])
    for _ in range(CROWD):
        crowd.courtesy.asked(CREATION)
    return crowd


async def test_what_follows_from_creations_waits_until_a_burst_is_over() -> None:
    waited_s = await burst(for_s=0.4).waits_s(a.created())
    assert 0.4 + LULL_S <= waited_s <= 0.4 + LULL_S + 2 * LOOK_S


async def test_a_burst_that_never_ends_delays_what_follows_so_long_and_no_longer() -> None:
    crowd = burst(for_s=5 * LATE_MOST_S)
    for _ in range(4):
        assert LATE_MOST_S <= await crowd.waits_s(a.created()) <= LATE_MOST_S + 2 * LOOK_S


async def test_what_waited_on_the_log_already_waits_only_for_the_rest_of_that_time() -> None:
    crowd = burst(for_s=5.0)
    await crowd.courtesy.give_way([on_the_log(a.created(), crowd, ago_s=0.7)])
    assert crowd.monotonic() == pytest.approx(LATE_MOST_S - 0.7, abs=2 * LOOK_S)
    began = crowd.monotonic()
    await crowd.courtesy.give_way([on_the_log(a.created(), crowd, ago_s=60.0)])
    assert crowd.monotonic() == began


async def test_those_that_wait_together_wait_as_long_as_the_oldest_of_them_may() -> None:
    crowd = burst(for_s=5.0)
    commits = [on_the_log(a.created(), crowd, ago_s=ago_s) for ago_s in (0.2, 0.7, 0.1)]
    await crowd.courtesy.give_way([on_the_log(LoadBalancerDeleted(load_balancer_id=a.LB), crowd, ago_s=3), *commits])
    assert crowd.monotonic() == pytest.approx(LATE_MOST_S - 0.7, abs=2 * LOOK_S)


async def test_who_waits_for_each_creation_to_be_active_is_never_delayed() -> None:
    crowd = Crowd()
    for _ in range(50):
        crowd.courtesy.asked(CREATION)
        assert await crowd.waits_s(a.created()) == 0
        await crowd.sleep(WITHIN_S / (CROWD - 1) + 0.001)


async def test_a_burst_goes_on_where_it_falters() -> None:
    crowd = burst(every_s=LULL_S - 2 * LOOK_S, for_s=0.5)
    assert await crowd.waits_s(a.created()) > 0.5


async def test_only_creations_wait() -> None:
    assert await burst(for_s=1.0).waits_s(LoadBalancerDeleted(load_balancer_id=a.LB)) == 0


async def test_a_change_of_what_serves_ends_all_waiting_and_what_stands_before_it_is_done_without() -> None:
    crowd = burst(for_s=0.2, then=CHANGE)
    assert await crowd.waits_s(a.created()) <= 0.2 + 2 * LOOK_S
    for _ in range(CROWD):
        crowd.courtesy.asked(CREATION)
    assert await crowd.waits_s(a.created()) == 0


async def test_what_stands_before_a_change_is_done_without_waiting_however_late_its_turn_comes() -> None:
    crowd = burst(for_s=LATE_MOST_S)
    before = on_the_log(a.created(), crowd)
    crowd.courtesy.asked(CHANGE)
    await crowd.sleep(HURRY_S + 1.0)
    began = crowd.monotonic()
    await crowd.courtesy.give_way([before])
    assert crowd.monotonic() == began
    assert await crowd.waits_s(a.created()) > 0, "and only that"


# -- in the planner


async def create(world: World, count: int) -> list[LoadBalancerId]:
    created = [LoadBalancerId(a.an_id(f"lb-{number}")) for number in range(count)]
    for lb_id in created:
        await world.ask(a.create_load_balancer(id=lb_id))
    return created


async def test_a_burst_is_carried_whole_when_it_is_over() -> None:
    world = World()
    created = await create(world, 3 * CROWD)
    await world.settle()
    assert world.clock.monotonic() == pytest.approx(LULL_S, abs=2 * LOOK_S), "all of them waited together"
    assert all(world.load_balancer(lb_id).ended for lb_id in created)


async def test_what_follows_from_a_change_does_not_wait_for_those_who_came_after_it() -> None:
    world = World()
    (changed,) = await create(world, 1)
    await world.settle()
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=changed, cascade=False))
    world.clock.time += timedelta(seconds=HURRY_S + 0.5)  # so late its turn comes
    for number in range(3 * CROWD):
        await world.ask(a.create_load_balancer(id=LoadBalancerId(a.an_id(f"later-{number}"))))
    began = world.clock.monotonic()
    await world.settle()
    assert world.clock.monotonic() == began
    assert world.load_balancer(changed).deleted


async def test_what_stands_before_creations_does_not_wait_with_them() -> None:
    world = World()
    (first,) = await create(world, 1)
    while not any(isinstance(event, BundleApplied) for each in await world.unread() for event in each.commit.events):
        assert await world.turn()
    began = world.clock.now()
    for number in range(3 * CROWD):
        await world.ask(a.create_load_balancer(id=LoadBalancerId(a.an_id(f"later-{number}"))))
    await world.settle()
    (ended,) = await logged(world, RoundEnded, first)
    assert ended.commit.decided_at == began
    assert world.clock.now() > began, "the others have waited"


async def logged(world: World, event: type[Event], lb_id: LoadBalancerId) -> list[Recorded]:
    log = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    return [
        item
        for item in log
        if item.aggregate_id == lb_id and any(isinstance(each, event) for each in item.commit.events)
    ]


async def test_the_loss_of_an_amphora_that_serves_waits_for_no_burst() -> None:
    world = World()
    await create(world, 1)
    await world.settle()
    (lost,) = world.machines
    await create(world, 1 + 3 * CROWD)
    await world.lost(lost)
    began = world.clock.monotonic()
    [loss] = [item async for item in world.store.read("EVENTS_HEALTH", after=0)]
    await world.planner.foreign([loss])  # its feed is another one, and never waits
    await world.settle()
    assert world.clock.monotonic() == began
    assert lost not in world.machines


async def test_a_deadline_waits_for_no_burst() -> None:
    world = World(boots=False)
    await create(world, 1)
    await world.settle()
    world.clock.time += timedelta(seconds=world.limits.boot_s)
    await create(world, 3 * CROWD)
    began = world.clock.monotonic()
    (due,) = world.planning.targets_due()
    await world.planner.lapse(due)
    assert world.clock.monotonic() == began
