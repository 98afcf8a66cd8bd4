"""Commits that are handled side by side: nobody is told out of turn, nothing is left out, and all ends as one by one."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.side_by_side import Line, side_by_side, stretch
from actium_shared import streams
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.envelope import Envelope
from actium_shared.errors import BrokenStoreError, RetryableError
from actium_shared.event_store import Recorded
from actium_shared.ids import AmphoraId, LoadBalancerId
from actium_shared.message import Commit, Position, WorkCause
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


PAIRED = '{"loadbalancer_topology": "ACTIVE_STANDBY"}'
# -- in the planner: every shell in `World` objects when somebody is told out of turn

FLAVORS = {"shared": '{"load_balancers_per_appliance": 3}', "spared": '{"spare_pool_size": 1}', "paired": PAIRED}


@dataclass
class Story:
    """The same wishes and blows for two planners."""

    seed: int
    together: int

    async def told(self) -> World:
        hosts = tuple(f"host-{number}" for number in range(30))  # enough for all that want to be apart
        world = World(store=SlowStore(), together=self.together, hosts=hosts)
        chance = random.Random(self.seed)
        for name, data in FLAVORS.items():
            await offer(world, name, data)
        made: list[LoadBalancerId] = []
        for number in range(12):
            lb_id = LoadBalancerId(a.an_id(f"lb-{number}"))
            tags = chance.choice([(), (), ("colocate:x",), ("apolocate:y",)])
            flavor = chance.choice([None, *FLAVORS])
            fields = {"tags": tags, "flavor_id": a.an_id(flavor) if flavor else None}
            await world.ask(a.create_load_balancer(id=lb_id, **fields))
            made.append(lb_id)
            await self.happens(world, chance, made)
        await world.settle()
        return world

    async def happens(self, world: World, chance: random.Random, made: list[LoadBalancerId]) -> None:
        match chance.randrange(6):
            case 0:
                await world.settle()
            case 1:
                await world.step()
            case 2:
                changes = commands.LoadBalancerChanges(admin_state_up=False)
                await world.ask(commands.UpdateLoadBalancer(load_balancer_id=chance.choice(made), changes=changes))
            case 3:
                await world.ask(commands.DeleteLoadBalancer(load_balancer_id=chance.choice(made), cascade=True))
            case 4 if world.machines:
                await world.lost(AmphoraId(min(world.machines)))
            case _:
                pass


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
