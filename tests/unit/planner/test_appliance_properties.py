"""Whatever happens to an appliance in whatever order: it heals by itself, and never do two hold the same addresses."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders.appliance import Outcome
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora
from unit.planner.appliance_acts import Act, Watched, acts, assert_whole, befall, heal
from unit.planner.appliances import PAIR, Around


def _live(at: Around, script: Sequence[Act]) -> None:
    at.admit()
    for act, number in script:
        befall(at, act, number)
    heal(at)
    _serves_what_is_good(at)
    at.bad.clear()
    heal(at)
    assert_whole(at)


def _serves_what_is_good(at: Around) -> None:
    """Everybody who shall serves the newest wish that can be served; a bad one is an error, and nothing waits for it."""
    at.settle()  # what is bad may just have been tried again
    good = at.state.good.get(a.LB, 0)
    assert not at.wish.pending
    assert (at.wish.generation in at.bad) == bool(at.wish.failed)
    assert good not in at.bad
    assert good == at.wish.generation or at.wish.generation in at.bad
    if good:
        assert sorted(each.role for each in at.state.ordered()) == sorted(at.state.roles)
        assert {at.runs[each.id].load_balancers[0].generation for each in at.state.ordered()} == {good}
        applied = at.state.bundle.number if at.state.bundle.outcome is Outcome.APPLIED else at.state.applied
        assert {each.in_force for each in at.state.ordered()} == {applied}
        assert not at.state.exchanging


@settings(max_examples=300, deadline=None)
@given(acts)
def test_one_alone_always_heals(script: list[Act]) -> None:
    _live(Watched(), script)


@settings(max_examples=300, deadline=None)
@given(acts)
def test_a_pair_always_heals(script: list[Act]) -> None:
    _live(Watched(**PAIR), script)


@settings(max_examples=150, deadline=None)
@given(acts, st.booleans())
def test_a_deleted_one_leaves_nothing_behind(script: list[Act], pair: bool) -> None:
    at = Watched(**PAIR) if pair else Watched()
    at.admit()
    for act, number in script:
        befall(at, act, number)
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    at.boots = at.fences = True
    at.settle()
    at.wait(2000)
    at.settle()
    assert at.state.retired
    assert not at.state.amphorae
    assert at.wish.withdrawn
    assert at.plan().orders == ()


@settings(max_examples=200, deadline=None)
@given(acts, st.booleans())
def test_nothing_stays_pending_for_ever_when_nobody_does_anything_any_more(script: list[Act], pair: bool) -> None:
    at = Watched(**PAIR) if pair else Watched()
    at.admit()
    for act, number in script:
        befall(at, act, number)
    for _ in range(10):
        at.wait(2000)
    assert not at.wish.pending


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("hours", [1, 4])
def test_what_keeps_failing_is_tried_ever_more_seldom(pair: bool, hours: int) -> None:
    at = Watched(**PAIR) if pair else Watched()
    at.admit()
    at.boots = False
    for _ in range(hours * 60):
        at.wait(60)
        at.settle()
    assert at.types().count("amphora-appointed") < 40 + 20 * hours
    assert not [order for order in at.plan().orders if isinstance(order, BootAmphora)]
