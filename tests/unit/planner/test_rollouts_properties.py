"""Whatever happens to a rollout: it ends or says why it waits, and never touches two of one appliance at once."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from actium_planner.deciders.rollout import Status
from actium_planner.placement import place
from actium_shared.commands import planner as commands
from actium_shared.events import rollout as events
from actium_shared.events.rollout import ReplacementsOrdered, RolloutEvent
from actium_shared.ids import AmphoraId, ApplianceId
from unit.planner.rollouts import ROLLOUT, fleet_of, images, lb, start, state_of, told
from unit.planner.world import World

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
