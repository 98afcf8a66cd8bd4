"""Whatever happens to a pool of spares: never too many, nobody handed out twice, and full in the end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from actium_planner.deciders import spares
from actium_planner.deciders.spares import Context, Sizing, SparesState, Stage
from actium_shared.commands import planner as commands
from actium_shared.events import spares as events
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import AmphoraId
from actium_shared.message import Rejected
from unit.planner.lives import NOW
from unit.planner.spare_pools import LIMITS, POOL, POOLS, boot_failed, booted, cleared, deleted, lost, sought

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
                "clear": cleared(one),
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
                Stage.SHUT_DOWN: cleared(spare.id),
            }
            if spare.stage in news:
                happened = spares.follow(news[spare.stage], state, Context(now=now, limits=LIMITS))
                state = spares.fold(state, happened)
        now = max([now, *spares.deadlines(state)])
        state = spares.fold(state, spares.lapse(state, Context(now=now, limits=LIMITS)))
    assert len(state.ordered(Stage.READY)) == state.size
    assert not state.uncleared()
