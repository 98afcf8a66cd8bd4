"""Whatever is asked of several that share, crashes among it: all that was accepted serves, and nothing else exists."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_shared.commands import planner as commands
from actium_shared.event_store import Recorded
from actium_shared.events.appliance import LoadBalancerAdmitted, LoadBalancerReleased
from actium_shared.ids import ApplianceId, LoadBalancerId
from actium_shared.message import Commit
from unit.planner.sharing import a_world, creation, lb, served
from unit.planner.world import World


@dataclass
class Told:
    """What the log says of who was carried by whom, and whether it was ever too many."""

    carried: dict[str, set[str]] = field(default_factory=dict)
    most: int = 0

    def read(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, LoadBalancerAdmitted):
                self.carried.setdefault(event.appliance_id, set()).add(event.load_balancer_id)
            if isinstance(event, LoadBalancerReleased):
                self.carried[event.appliance_id].discard(event.load_balancer_id)
            self.most = max([self.most, *map(len, self.carried.values())])


steps = st.tuples(
    st.sampled_from(["create", "create", "delete", "change", "crash", "lose", "settle"]),
    st.sampled_from("abcde"),
    st.sets(st.sampled_from(["colocate:x", "apolocate:y"]), max_size=1),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=14))
def test_whatever_is_asked_all_that_was_accepted_serves_and_nothing_else_exists(
    script: list[tuple[str, str, set[str]]],
) -> None:
    async def live() -> None:
        world = await a_world()
        for step in script:
            await _take(world, *step)
        for _ in range(6):
            await world.settle()
            await world.lapse(130)
        log: list[Recorded] = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
        told = Told()
        for item in log:
            told.read(item.commit)
        assert told.most <= 2
        living = {
            lb_id for lb_id, held in world.states.load_balancers if held.state.load_balancer and not held.state.deleting
        }
        assert {each for ids in served(world).values() for each in ids} == living
        assert sum(map(len, served(world).values())) == len(living)
        assert set(world.machines) == set(world.configured)
        assert all(held.state.deleted for _, held in world.states.load_balancers if not held.state.load_balancer)
        _keep_apart(world, living)

    asyncio.run(live())


def _keep_apart(world: World, living: set[str]) -> None:
    by_tag: dict[str, list[ApplianceId | None]] = {}
    for lb_id in living:
        balancer = world.load_balancer(LoadBalancerId(lb_id)).load_balancer
        assert balancer is not None
        for tag in balancer.tags:
            by_tag.setdefault(tag, []).append(world.states.fleet.carrier(LoadBalancerId(lb_id)))
    assert len(set(by_tag.get("colocate:x", [None]))) == 1
    apart = by_tag.get("apolocate:y", [])
    assert len(set(apart)) == len(apart)


async def _take(world: World, word: str, name: str, tags: set[str]) -> None:
    exists = lb(name) in dict(world.states.load_balancers)
    if name not in "abc":
        tags = tags - {"apolocate:y"}  # there are three hosts
    match word:
        case "create" if not exists and len(tags) < 2:
            await world.ask(creation(name, *sorted(tags)))
        case "delete" if exists:
            await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb(name), cascade=True))
        case "change" if exists:
            listener = a.listener(id=a.an_id(f"listener of {name}"))
            await world.ask(commands.CreateListener(load_balancer_id=lb(name), listener=listener))
        case "crash":
            await world.restart()
        case "lose" if world.configured:
            await world.lost(min(world.configured))
            world.configured.pop(min(world.configured))
        case "settle":
            await world.settle()
        case _:
            pass
    await world.step()
