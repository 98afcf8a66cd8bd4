"""Stories of an appliance of one: lost, fenced, replaced; and of what kills whoever comes. No pairs."""

from actium_planner.deciders.appliance import Outcome, Stage
from actium_shared.commands.compute import BootAmphora, DeleteAmphora, FenceAmphora
from actium_shared.events import appliance as events
from unit.planner.appliances import at_work, born, configuration, spare
from unit.planner.news import booted, deleted, lost


def test_a_lost_one_is_dismissed_and_replaced_and_what_serves_stays_active() -> None:
    at = at_work()
    first = at.only()
    at.tell(lost(first.id))
    assert at.types() == ["amphora-dismissed", "amphora-appointed", "bundle-cut"]
    assert at.state.amphorae[first.id].stage is Stage.DISMISSED
    assert not at.wish.pending
    at.settle()
    second = at.only()
    assert at.runs[second.id].holds_vips
    assert set(at.state.amphorae) == {second.id}
    assert (at.wish.pending, at.wish.failed) == (False, 0)


def test_the_successor_gets_the_addresses_in_a_new_epoch_and_only_after_the_fence() -> None:
    at = at_work()
    first = at.only()
    at.lose(first.id)
    at.settle(FenceAmphora)
    second = at.only()
    assert at.ordered(FenceAmphora) == [first.id]
    assert not at.runs[second.id].holds_vips
    assert (at.runs[second.id].epoch, at.state.bundle.outcome) == (1, Outcome.IN_FLIGHT)
    at.settle()
    assert (at.runs[second.id].epoch, at.runs[second.id].holds_vips) == (2, True)
    assert at.state.bundle.outcome is Outcome.APPLIED


def test_deletion_is_as_good_as_a_fence() -> None:
    at = at_work()
    at.fences = False
    first = at.only()
    at.lose(first.id)
    at.settle()
    at.gone(first.id)
    at.settle()
    assert at.runs[at.only().id].holds_vips


def test_a_fence_that_cannot_be_had_is_an_error_with_its_reason_and_heals() -> None:
    at = at_work()
    at.fences = False
    at.lose(at.only().id)
    at.settle()
    at.wait(241)
    assert at.wish.failed
    assert isinstance(at.told[-1], events.BundleFailed)
    assert "cut off" in at.told[-1].reason
    at.fences = True
    at.settle()
    assert (at.wish.failed, at.wish.pending) == (0, False)


def test_one_that_is_heard_again_after_its_dismissal_stays_dismissed() -> None:
    at = at_work()
    first = at.only()
    at.tell(lost(first.id))
    told = len(at.told)
    at.tell(lost(first.id))
    at.tell(booted(first.id))
    assert len(at.told) == told
    assert first.id in at.ordered(FenceAmphora)


def test_an_amphora_that_never_joined_is_not_fenced_and_its_successor_waits_for_its_deletion() -> None:
    at = born()
    first = at.only()
    at.wait(61)
    assert at.ordered(DeleteAmphora) == [first.id]
    assert at.ordered(FenceAmphora) == []
    second = at.only()
    assert not configuration(at, second.id).holds_vips
    at.tell(deleted(first.id))
    assert configuration(at, second.id).holds_vips
    at.settle()
    assert not at.wish.pending


def test_each_that_served_and_was_lost_is_replaced_at_once_however_soon() -> None:
    at = at_work()
    for _ in range(6):
        at.wait(10)
        at.lose(at.only().id)
        at.settle()
        assert at.runs[at.only().id].holds_vips
    assert at.wish.failed == 0
    assert "failed" not in at.types()


def test_spares_that_served_and_were_lost_are_no_failed_attempts_either() -> None:
    at = at_work()
    for name in ("one", "two", "three", "four"):
        at.spares = {spare(name): "host-2"}
        at.lose(at.only().id)
        at.settle()
        assert at.only().id == spare(name)
    assert at.wish.failed == 0


def test_what_kills_whoever_comes_leads_to_pauses_that_grow() -> None:
    at = at_work()
    pauses, losses = [], []
    for _ in range(3):
        told = len(at.told)
        while at.state.serving():
            at.lose(at.only().id)
            at.settle()
        failed = [event for event in at.told[told:] if isinstance(event, events.ApplianceFailed)][-1]
        assert failed.reason.startswith("7 amphorae in a row were lost soon after they came: ")
        losses.append(sum(isinstance(event, events.AmphoraDismissed) for event in at.told[told:]))
        pauses.append((failed.retry_at - at.now).total_seconds())
        assert at.wish.failed
        at.wait(pauses[-1] + 1)
        at.settle()
        assert (at.wish.failed, at.wish.pending) == (0, False)
    assert losses == [7, 7, 7]
    assert pauses == [30, 60, 120]


def test_losses_before_do_not_shorten_the_attempts_to_have_somebody_come() -> None:
    at = at_work()
    for _ in range(4):
        at.lose(at.only().id)
        at.settle()
    at.lose(at.only().id)
    attempts = []
    while at.state.serving():
        newest = [event for event in at.told if isinstance(event, events.AmphoraAppointed)][-1]
        attempts.append((newest.attempt, newest.losses))
        at.wait(61)
    assert attempts == [(1, 5), (2, 5), (3, 5)]
    failed = [event for event in at.told if isinstance(event, events.ApplianceFailed)][-1]
    assert failed.reason == "the amphora did not boot within 60 s"


def test_one_that_served_for_long_is_no_proof_against_its_successor() -> None:
    at = at_work()
    for _ in range(10):
        at.wait(1000)
        at.lose(at.only().id)
        at.settle()
    assert at.wish.failed == 0
    assert "failed" not in at.types()


def test_what_a_dead_hosts_amphora_ran_on_is_better_avoided() -> None:
    at = at_work()
    first = at.only()
    at.lose(first.id)
    (order,) = [order for order in at.plan().orders if isinstance(order, BootAmphora)]
    assert order.prefer_not_hosts == (at.hosts[first.id],)
