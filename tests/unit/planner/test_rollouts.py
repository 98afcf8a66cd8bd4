"""Rollouts: what is chosen, waves, pauses and ends. Given, when, then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from actium_planner.deciders import rollout
from actium_planner.deciders.rollout import Context, RolloutState, Running, Status
from actium_shared.commands import planner as commands
from actium_shared.events import rollout as events
from actium_shared.events.rollout import ReplacementsOrdered, RolloutEvent
from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.message import Reason, Rejected
from actium_shared.rollouts import Selection
from unit.planner.lives import NOW
from unit.planner.rollouts import OLD, OTHER, ROLLOUT, start, types


def running(name: str, appliance: str | None = None, **fields: object) -> Running:
    plain = {"image_tag": "old", "next_image_tag": "new", "driver": "haproxy", "booted_at": NOW - timedelta(days=9)}
    chosen = plain | fields
    return Running(amphora_id=AmphoraId(name), appliance_id=ApplianceId(appliance or name), **chosen)  # type: ignore[arg-type]


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
