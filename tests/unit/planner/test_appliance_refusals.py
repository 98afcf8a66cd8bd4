"""Wishes and configurations that an appliance's amphorae refuse: what was good serves on, and all is tried again."""

import pytest

import builders as a
from actium_planner.deciders.appliance import Outcome
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events import secret
from actium_shared.ids import ProjectId, SecretRef
from unit.planner.appliances import PAIR, RENAME, Around, at_work, born
from unit.planner.news import APPLIANCE, booted


def change(at: Around) -> None:
    wish = commands.LoadBalancerChanges(admin_state_up=at.wish.generation % 2 == 0)
    at.ask(commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=wish))


def refused(at: Around) -> None:
    """Have it take a wish that no amphora takes."""
    at.bad.add(at.wish.next_generation)
    change(at)
    at.settle()


def runs(at: Around) -> set[int]:
    return {order.load_balancers[0].generation for order in at.runs.values()}


def is_error(at: Around) -> bool:
    return at.wish.failed == at.wish.generation and not at.wish.pending


def stored(project_id: ProjectId) -> secret.SecretStored:
    ref = SecretRef("local:s")
    return secret.SecretStored(secret_ref=ref, project_id=project_id, name="s", kind="certificate", digest="d")


@pytest.mark.parametrize("topology", [{}, PAIR])
def test_who_comes_after_a_loss_runs_the_last_good_wish(topology: dict[str, object]) -> None:
    at = at_work(**topology)
    refused(at)
    assert is_error(at)
    lost = min(at.runs)
    at.lose(lost)
    at.settle()
    assert lost not in at.runs
    assert len(at.runs) == len(at.state.roles)
    assert runs(at) == {1}
    assert all(order.holds_vips for order in at.runs.values())
    assert is_error(at)


def test_a_wish_that_its_first_amphora_after_a_loss_refuses_falls_back_too() -> None:
    at = at_work()
    at.lose(at.only().id)
    refused(at)
    assert runs(at) == {1}
    assert is_error(at)


def test_it_stays_an_error_while_what_was_good_is_applied_anew_and_ends_with_the_next_good_wish() -> None:
    at = at_work()
    refused(at)
    at.operate(commands.ReconfigureAmphora(appliance_id=APPLIANCE, amphora_id=at.only().id))
    at.settle()
    assert is_error(at)
    change(at)
    at.settle()
    assert (at.wish.failed, at.wish.ended) == (0, 3)
    assert runs(at) == {3}
    assert len(at.wish.history) == 0


def test_what_was_refused_is_tried_again_by_itself_ever_more_seldom() -> None:
    at = at_work()
    refused(at)
    tries = []
    for _ in range(3):
        wake_at = at.plan().wake_at
        assert wake_at is not None
        tries.append((wake_at - at.now).total_seconds())
        at.wait(tries[-1])
        at.settle()
    assert tries == [30, 60, 120]
    assert runs(at) == {1}
    at.bad.clear()
    at.wait(240)
    at.settle()
    assert (at.wish.failed, at.wish.ended) == (0, 2)
    assert at.plan().wake_at is None


def test_a_planned_failover_goes_on_with_what_was_good() -> None:
    at = at_work()
    first = at.only().id
    refused(at)
    at.operate(commands.FailOverAmphora(appliance_id=APPLIANCE, amphora_id=first))
    at.settle()
    assert at.only().id != first
    assert runs(at) == {1}


def test_a_new_one_that_is_refused_holds_nothing_and_can_be_deleted() -> None:
    at = Around(wish=at_work().wish)
    at = Around(wish=at.wish.at(1), bad={1})
    at.admit()
    at.settle()
    assert is_error(at)
    assert at.state.bundle.outcome is Outcome.FAILED
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    at.settle()
    assert at.wish.withdrawn


def test_a_stored_secret_has_it_tried_again_at_once() -> None:
    at = at_work()
    refused(at)
    assert at.wish.load_balancer is not None
    theirs = at.wish.load_balancer.project_id
    at.bad.clear()
    for project_id, generation in ((ProjectId("another"), 1), (theirs, 2)):
        at.tell(stored(project_id))
        at.settle()
        assert runs(at) == {generation}
    assert at.wish.failed == 0


def test_changes_while_pending_do_not_slip_into_a_bundle_that_was_cut_before() -> None:
    at = at_work()
    change(at)
    before = [order for order in at.orders() if isinstance(order, ConfigureAmphora)]
    change(at)
    assert [order for order in at.orders() if isinstance(order, ConfigureAmphora)] == before
    at.settle()
    assert (at.wish.ended, runs(at)) == (3, {3})


def test_a_refusal_that_comes_late_is_tried_again_like_any_other() -> None:
    at = born()
    at.silent.add(at.only().id)
    at.settle()
    at.tell(booted(at.only().id))
    at.wait(241)
    assert at.wish.failed
    at.silent.clear()
    at.refuses.add(at.only().id)
    at.settle()
    assert at.state.bundle.outcome is Outcome.FAILED
    at.refuses.clear()
    at.wait(31)
    at.settle()
    assert (at.wish.failed, at.wish.ended) == (0, 1)


def test_a_configuration_that_is_refused_for_a_while_is_not_given_up_and_stays_an_error_meanwhile() -> None:
    at = at_work()
    only = at.only()
    at.refuses.add(only.id)
    at.ask(RENAME)
    at.settle()
    for _ in range(4):
        assert (at.wish.failed, at.wish.pending) == (2, False)
        at.wait(31 if at.state.refusals[a.LB].count == 1 else 500)
        at.settle()
    at.refuses.clear()
    at.wait(1000)
    at.settle()
    assert (at.wish.failed, at.wish.pending, at.wish.ended) == (0, False, 2)
