"""Commits that are handled side by side: nobody is told out of turn, nothing is left out, and all ends as one by one."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders import spares
from actium_planner.deciders.appliance import Limits
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.placement import place
from actium_planner.side_by_side import Line, side_by_side, stretch
from actium_shared import streams
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.envelope import Envelope
from actium_shared.errors import BrokenStoreError, RetryableError
from actium_shared.event_store import Recorded
from actium_shared.events.appliance import AmphoraJoined
from actium_shared.events.secret import SecretStored
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, ProjectId, RolloutId, SecretRef
from actium_shared.message import Command, Commit, EventCause, Position, WorkCause
from actium_shared.rollouts import Selection
from unit.planner import news
from unit.planner.logs import log_of
from unit.planner.sharing import a_world, carrier, create, lb
from unit.planner.test_sharing_races import lost_races
from unit.planner.world import SlowStore, World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENVELOPE = Envelope(id="e", type="t", version=1, source="t", time=NOW, correlation_id="c")

Told = tuple[str, frozenset[str] | None]
"""An aggregate's commit, and whom it concerns."""

NAMES = st.sampled_from("abcdef")
COMMITS = st.lists(st.tuples(NAMES, st.none() | st.frozensets(NAMES, max_size=2)), max_size=20)


def recorded(sequence: int, aggregate_id: str) -> Recorded:
    commit = Commit(id=f"c{sequence}", events=(), cause=WorkCause(order_id="o"), decided_at=NOW)
    position = Position("EVENTS_T", sequence)
    subject = streams.event_subject("planner", "loadbalancer", aggregate_id)
    return Recorded(commit=commit, envelope=ENVELOPE, subject=subject, position=position, stored_at=NOW)


@dataclass
class Handling:
    """Handles commits, each in some turns of the loop, and notes when each began and ended."""

    told: Sequence[Told]
    turns: random.Random
    begun: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    time: int = 0

    def concerns(self, commit: Recorded) -> frozenset[str] | None:
        return self.told[commit.position.sequence - 1][1]

    async def handle(self, line: Line) -> None:
        for commit in line:
            self.begun[commit.position.sequence] = self._tick()
            for _ in range(self.turns.randrange(4)):
                await asyncio.sleep(0)
            self.ended[commit.position.sequence] = self._tick()

    def _tick(self) -> int:
        self.time += 1
        return self.time

    def run(self) -> None:
        commits = [recorded(number, name) for number, (name, _) in enumerate(self.told, start=1)]
        asyncio.run(side_by_side(commits, self.concerns, self.handle))


@given(told=COMMITS, seed=st.integers(0, 1000))
def test_all_are_handled_and_those_with_something_in_common_in_their_order(told: list[Told], seed: int) -> None:
    handling = Handling(told, random.Random(seed))
    handling.run()
    assert sorted(handling.ended) == list(range(1, len(told) + 1))
    for later, (name, concerned) in enumerate(told, start=1):
        for earlier, (other, others) in enumerate(told[: later - 1], start=1):
            apart = concerned is not None and others is not None and not {name, *concerned} & {other, *others}
            assert apart or handling.ended[earlier] < handling.begun[later]


def test_those_with_nothing_in_common_are_lines_and_one_that_meets_two_lines_makes_them_one() -> None:
    told: list[Told] = [("a", frozenset()), ("b", frozenset()), ("c", frozenset()), ("d", frozenset("ab"))]
    commits = [recorded(number, name) for number, (name, _) in enumerate(told, start=1)]
    lines = stretch(commits, lambda commit: told[commit.position.sequence - 1][1])
    assert sorted("".join(each.aggregate_id for each in line) for line in lines) == ["abd", "c"]


@pytest.mark.parametrize("failures", [("retry",), ("retry", "broken")])
async def test_where_one_fails_the_others_come_to_their_ends_and_a_broken_store_is_told_first(
    failures: tuple[str, ...],
) -> None:
    kinds = {"retry": RetryableError("not now"), "broken": BrokenStoreError("gone")}
    done = []

    async def handle(line: Line) -> None:
        name = line[0].aggregate_id
        if name in failures:
            raise kinds[name]
        await asyncio.sleep(0)
        done.append(name)

    commits = [recorded(number, name) for number, name in enumerate([*failures, "x", "y"], start=1)]
    with pytest.raises(type(kinds[failures[-1]])):
        await side_by_side(commits, lambda _commit: frozenset(), handle)
    assert done == ["x", "y"]


# -- in the planner: every shell in `World` objects when somebody is told out of turn, or of what was not said to concern it

FLAVORS = {
    "shared": '{"load_balancers_per_appliance": 3}',
    "spared": '{"spare_pool_size": 1}',
    "paired": '{"loadbalancer_topology": "ACTIVE_STANDBY"}',
}


FAILS = 0.05
DOWN = commands.LoadBalancerChanges(admin_state_up=False)


class FlakyStore(SlowStore):
    """Fails some of what feeds append, before it is on the log or when it is; and has others take turns of all lengths."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance

    async def append(self, subject: str, commit: Commit, **more: Any) -> Any:  # type: ignore[override]
        for _ in range(self.chance.randrange(20)):
            await asyncio.sleep(0)
        fails = isinstance(commit.cause, EventCause) and self.chance.random() < FAILS
        if fails and self.chance.random() < 1 / 2:
            raise RetryableError("nothing was heard")
        position = await super().append(subject, commit, **more)
        if fails:
            raise RetryableError("it is not known")
        return position


class FailsOnce(SlowStore):
    """Does not answer the first who follows anything."""

    failed = False

    async def append(self, subject: str, commit: Commit, **more: Any) -> Any:  # type: ignore[override]
        if isinstance(commit.cause, EventCause) and not self.failed:
            self.failed = True
            raise RetryableError("nothing was heard")
        return await super().append(subject, commit, **more)


class UnheardOnce(SlowStore):
    """Stores that an amphora has joined, and the first time nobody hears of it."""

    unheard = False

    async def append(self, subject: str, commit: Commit, **more: Any) -> Any:  # type: ignore[override]
        position = await super().append(subject, commit, **more)
        if not self.unheard and any(isinstance(event, AmphoraJoined) for event in commit.events):
            self.unheard = True
            raise RetryableError("it is not known")
        return position


@dataclass
class Story:
    """The same wishes and blows for two planners, on enough hosts for all that want to be apart."""

    seed: int
    together: int
    hosts: int = 30

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.made: list[LoadBalancerId] = []
        hosts = tuple(f"host-{number}" for number in range(self.hosts))
        self.world = World(hosts=hosts, together=self.together, **self.ways())

    def ways(self) -> dict[str, Any]:
        return {"store": SlowStore()}

    async def told(self) -> World:
        for name, data in FLAVORS.items():
            await offer(self.world, name, data)
        for _ in range(12):
            await self.goes_on()
        await self.world.settle()
        return self.world

    async def goes_on(self) -> None:
        await self.world.ask(self.creation())
        await self.happens()

    def creation(self) -> commands.CreateLoadBalancer:
        lb_id = LoadBalancerId(a.an_id(f"lb-{len(self.made)}"))
        self.made.append(lb_id)
        tags = self.chance.choice([(), (), ("colocate:x",), ("apolocate:y",)])
        flavor = self.chance.choice([None, *FLAVORS])
        return a.create_load_balancer(id=lb_id, tags=tags, flavor_id=a.an_id(flavor) if flavor else None)

    async def happens(self) -> None:
        one = self.chance.choice(self.made)
        match self.chance.randrange(6):
            case 0:
                await self.world.settle()
            case 1:
                await self.world.step()
            case 2:
                await self.world.ask(commands.UpdateLoadBalancer(load_balancer_id=one, changes=DOWN))
            case 3:
                await self.world.ask(commands.DeleteLoadBalancer(load_balancer_id=one, cascade=True))
            case 4 if self.world.machines:
                await self.world.lost(AmphoraId(min(self.world.machines)))
            case _:
                pass


@dataclass
class Crush(Story):
    """All feeds and some asks at once, on a log that does not always answer."""

    def ways(self) -> dict[str, Any]:
        return {"store": FlakyStore(self.chance), "at_once": True, "limits": Limits(spare_pool_size=2)}

    async def told(self) -> World:
        world = await super().told()
        for _ in range(10):
            await world.lapse(61)
        return world

    async def goes_on(self) -> None:
        asks = [self.world.ask(each) for each in (self.creation(), self.creation(), self.word(), self.word())]
        await asyncio.gather(*asks, self.world.step(), self.happens(), self.happens())

    def word(self) -> Command:
        one = self.chance.choice(self.made)
        rollout = commands.StartRollout(
            rollout_id=RolloutId(a.an_id("rollout")), selection=Selection(image_tag="default"), to_image_tag="new"
        )
        return self.chance.choice(
            [
                commands.UpdateLoadBalancer(load_balancer_id=one, changes=DOWN),
                commands.FailOverLoadBalancer(load_balancer_id=one),
                commands.DeleteLoadBalancer(load_balancer_id=one, cascade=True),
                rollout,
            ]
        )


async def offer(world: World, name: str, data: str) -> None:
    profile = FlavorProfile(id=a.an_id(f"profile-{name}"), name=name, provider_name="actium", flavor_data=data)
    await world.ask(commands.CreateFlavorProfile(flavor_profile=profile))
    flavor = Flavor(id=a.an_id(name), name=name, description="", enabled=True, flavor_profile_id=profile.id)
    await world.ask(commands.CreateFlavor(flavor=flavor))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_every_wish_has_an_outcome_however_many_are_handled_together(seed: int) -> None:
    async def outcome(together: int) -> dict[str, tuple[bool, bool, bool]]:
        world = await Story(seed, together).told()
        assert not world.planning.faults
        return {
            lb_id: (held.state.deleted, held.state.pending, bool(held.state.failed))
            for lb_id, held in world.states.load_balancers
        }

    assert asyncio.run(outcome(32)) == asyncio.run(outcome(1))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_while_feeds_and_asks_go_on_at_once_all_comes_to_an_end_and_those_apart_never_meet(seed: int) -> None:
    world = asyncio.run(Crush(seed, 32, hosts=6).told())
    assert not world.planning.faults
    assert not [lb_id for lb_id, held in world.states.load_balancers if held.state.pending]
    apart = [
        hosts_of(world, LoadBalancerId(lb_id)) for lb_id, held in world.states.load_balancers if is_apart(held.state)
    ]
    assert len(frozenset().union(*apart)) == sum(map(len, apart))


def is_apart(state: LoadBalancerState) -> bool:
    return state.load_balancer is not None and "apolocate:y" in state.load_balancer.tags


def hosts_of(world: World, lb_id: LoadBalancerId) -> set[str]:
    here = world.states.fleet.carrier(lb_id)
    assert here is not None
    return {world.machines[each][0] for each in world.states.appliances.state(here).amphorae if each in world.machines}


@pytest.mark.parametrize("store", [SlowStore, UnheardOnce])
async def test_apolocated_ones_whose_boots_are_told_together_are_parted(store: type[SlowStore]) -> None:
    world = World(store=store(), hosts=("host-1",), works=False)
    created = [LoadBalancerId(a.an_id(name)) for name in "ab"]
    for lb_id in created:
        await world.ask(a.create_load_balancer(id=lb_id, tags=("apolocate:db",)))
    await world.settle()
    world.works = True
    await world._work()
    assert [host for host, _ in world.machines.values()] == ["host-1", "host-1"]
    world.hosts = ("host-1", "host-2")
    await world.settle()
    assert sorted(host for host, _ in world.machines.values()) == ["host-1", "host-2"]
    assert all(world.load_balancer(lb_id).ended for lb_id in created)


@pytest.mark.parametrize("together", [1, 32])
async def test_a_secret_that_is_stored_right_behind_the_refusal_for_its_want_is_tried_at_once(together: int) -> None:
    world = World(store=SlowStore(), together=together, works=False, refuses=lambda _order: True)
    await world.ask(a.create_load_balancer())
    await world.settle()
    while not any(isinstance(order, ConfigureAmphora) for order in world.orders):
        await world._work()
        await world.settle()
    await world._work()  # it is refused, and the secret stored, before the planner has read either
    ref = SecretRef("local:s")
    stored = SecretStored(secret_ref=ref, project_id=ProjectId("p"), name="s", kind="certificate", digest="d")
    await world.happened("secret", ref, stored)
    world.refuses, world.works = lambda _order: False, True
    await world.settle()
    assert world.load_balancer(a.LB).ended


async def test_what_failed_is_handled_again_behind_what_went_further_and_nothing_is_missed() -> None:
    world = World(store=FailsOnce())
    one, other = (LoadBalancerId(a.an_id(name)) for name in ("one", "other"))
    for lb_id in (one, other):
        await world.ask(a.create_load_balancer(id=lb_id))
    await world.step()
    appliances = [item.aggregate_id for item in await log_of(world, "EVENTS_PLANNER") if item.aggregate == "appliance"]
    assert appliances == [place(other), place(one)]
    await world.settle()
    assert all(world.load_balancer(lb_id).ended for lb_id in (one, other))


async def test_one_whose_wish_changes_whenever_its_turn_has_come_is_carried_all_the_same() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    [created] = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    await world.ask(commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=DOWN))
    await world.planner.own([created])
    assert world.states.fleet.carrier(a.LB) is not None


async def test_one_that_is_let_go_before_its_deletion_is_followed_may_ask_where_it_was_meant_to_be() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    world.boots = False
    await lost_races(world, "late", meant_for=place(lb("a")))
    assert carrier(world, "late") == place(lb("late"))
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb("late"), cascade=True))
    [*_, deletion] = await log_of(world, "EVENTS_PLANNER")
    said = world.planner._concerns.of_own(deletion)
    assert said is not None
    gone = news.deleted(AmphoraId("x"), appliance_id=place(lb("late")))
    await world.happened("amphora", "x", gone)
    await world._read("compute")
    assert carrier(world, "late") is None
    state = world.load_balancer(lb("late"))
    assert set(world.planner._placing.candidates(lb("late"), state)) <= said


async def test_what_is_told_of_one_that_was_a_spare_may_be_for_its_pool_once_it_is_cleared_away() -> None:
    world = World(limits=Limits(spare_pool_size=1))
    await world.ask(a.create_load_balancer())
    await world.settle()
    await world.ask(a.create_load_balancer(id=lb("other")))
    await world.settle()
    carried_by = place(lb("other"))
    [amphora_id] = world.states.appliances.state(carried_by).amphorae
    pool = ApplianceId(spares.pool_id(None, None))
    await world.happened("amphora", amphora_id, news.deleted(amphora_id, appliance_id=pool))
    [*_, deletion] = await log_of(world, "EVENTS_COMPUTE")
    said = world.planner._concerns.of_foreign(deletion)
    assert said is not None
    assert carried_by in said
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb("other"), cascade=True))
    await world.settle()
    assert world.planner._concerns.told(deletion.commit.events) == {pool} <= said
