"""Stories of an appliance that is exchanged as planned: who has the addresses, and what load balancers see of it."""

from actium_planner.deciders.appliance import Stage
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora, FenceAmphora
from unit.planner.appliance_acts import no_renewal, renewal
from unit.planner.appliances import FAIL_OVER, LIMITS, PAIR, RENAME, at_work, born, ids, on


def test_a_single_one_is_exchanged_and_the_round_ends_when_the_successor_has_the_addresses() -> None:
    at = at_work()
    first = at.only()
    at.ask(FAIL_OVER)
    assert at.wish.pending
    assert at.types() == ["amphora-leaving", "amphora-appointed", "bundle-cut"]
    at.settle(FenceAmphora)
    second = at.only()
    assert at.ordered(FenceAmphora) == [first.id]
    assert not at.runs[second.id].holds_vips
    assert at.wish.pending
    at.settle()
    assert at.runs[second.id].holds_vips
    assert (at.wish.pending, at.wish.failed, at.wish.ended) == (False, 0, 2)


def test_a_users_changes_go_to_all_who_serve_while_one_is_exchanged() -> None:
    at = at_work()
    first = at.only()
    at.ask(FAIL_OVER)
    at.settle(BootAmphora)
    at.ask(RENAME)
    at.settle(BootAmphora)
    assert at.runs[first.id].load_balancers[0].generation == 3
    assert at.wish.pending
    at.settle()
    assert (at.wish.pending, at.wish.ended) == (False, 3)
    assert at.runs[at.only().id].load_balancers[0].generation == 3


def test_an_exchange_that_cannot_be_is_an_error_and_the_old_one_serves_on() -> None:
    at = at_work()
    first = at.only()
    at.boots = False
    at.ask(FAIL_OVER)
    at.settle()
    assert (at.wish.failed, at.wish.pending) == (2, False)
    assert at.runs[first.id].holds_vips
    at.ask(RENAME)
    at.settle()
    assert (at.wish.failed, at.wish.pending, at.wish.ended) == (0, False, 3)
    at.boots = True
    at.wait(31)
    at.settle()
    assert at.only().id != first.id


def test_one_that_is_lost_while_it_is_exchanged_is_succeeded_by_the_one_to_come() -> None:
    at = at_work()
    first = at.only()
    at.ask(FAIL_OVER)
    second = next(each for each in at.state.serving() if each.id != first.id)
    at.lose(first.id)
    at.settle()
    assert at.only().id == second.id
    assert at.runs[second.id].holds_vips
    assert (at.wish.pending, at.wish.ended) == (False, 2)


def test_a_pair_is_exchanged_standby_first_and_its_master_yields_before_it_goes() -> None:
    at = at_work(**PAIR)
    master, backup = at.member("MASTER"), at.member("BACKUP")
    at.ask(FAIL_OVER)
    at.settle()
    assert backup.id not in ids(at.state.serving())
    assert master.id in ids(at.state.serving())
    assert at.runs[master.id].yields
    assert at.wish.pending
    newcomers = at.state.staying()
    assert len(newcomers) == 2
    at.says(newcomers[0].id, "MASTER")
    assert at.state.amphorae[master.id].stage is Stage.DISMISSED
    at.settle()
    assert ids(at.state.serving()) == ids(newcomers)
    assert {each.role for each in at.state.serving()} == {"MASTER", "BACKUP"}
    assert (at.wish.pending, at.wish.failed, at.wish.ended) == (False, 0, 2)


def test_nobody_of_a_pair_goes_before_the_newcomer_has_learnt_who_is_on_which_member() -> None:
    at = at_work(**PAIR)
    old = ids(at.state.serving())
    at.learns = True
    at.ask(FAIL_OVER)
    at.settle()
    assert ids(at.state.leaving()) == old
    (newcomer,) = at.state.staying()
    assert newcomer.in_force == at.state.bundle.number
    at.says(newcomer.id, "BACKUP")
    at.settle()
    assert len(ids(at.state.leaving())) == 1


def test_what_a_newcomer_does_not_learn_in_time_it_goes_without() -> None:
    at = at_work(**PAIR)
    at.learns = True
    at.ask(FAIL_OVER)
    at.settle()
    at.wait(LIMITS.boot_s + 1)
    at.settle()
    assert len(ids(at.state.leaving())) == 1


def test_a_master_that_does_not_yield_in_time_goes_all_the_same() -> None:
    at = at_work(**PAIR)
    master = at.member("MASTER")
    at.ask(FAIL_OVER)
    at.settle()
    at.wait(11)
    at.settle()
    assert master.id not in at.state.amphorae
    assert (at.wish.pending, at.wish.failed) == (False, 0)


def test_a_pair_on_two_hosts_can_be_exchanged() -> None:
    at = at_work(**PAIR)
    old = ids(at.state.serving())
    hosts = {at.hosts[each] for each in old}
    at.ask(FAIL_OVER)
    for order in at.plan().orders:
        if isinstance(order, BootAmphora):
            assert not order.group
            assert set(order.avoid_hosts) < hosts


def test_an_exchange_that_waits_for_a_fence_too_long_is_an_error_and_heals() -> None:
    for topology in ({}, PAIR):
        at = at_work(**topology)
        at.fences = False
        at.ask(FAIL_OVER)
        at.settle()
        at.wait(61)
        assert (at.wish.pending, at.wish.failed) == (False, 2)
        at.fences = True
        at.settle()
        at.wait(11)
        at.settle()
        assert (at.wish.pending, at.wish.failed, at.wish.ended) == (False, 0, 2)


def test_that_nobody_answers_any_more_is_shown_when_a_fence_takes_too_long() -> None:
    at = at_work()
    at.ask(FAIL_OVER)
    at.settle()  # its successor had run bundles without the addresses
    at.operate(on(commands.FailOverAmphora, at.only().id))
    at.fences = False
    at.settle()
    assert not at.state.served
    at.wait(61)
    assert at.wish.failed
    at.fences = True
    at.settle()
    assert (at.wish.failed, at.wish.pending) == (0, False)


def test_a_second_failover_while_one_runs_makes_no_third_generation() -> None:
    at = at_work()
    at.ask(FAIL_OVER)
    at.settle(FenceAmphora)
    at.ask(FAIL_OVER)
    at.settle()
    assert (at.wish.pending, at.wish.ended) == (False, 3)
    assert at.types().count("amphora-appointed") == 1


def test_a_failover_of_what_serves_nobody_is_a_try_like_any_other() -> None:
    at = born()
    at.boots = False
    at.settle()
    at.boots = True
    at.ask(FAIL_OVER)
    at.settle()
    assert (at.wish.failed, at.wish.ended) == (0, 2)


def test_a_failover_that_is_late_is_made_up_for_though_a_rollout_has_given_up_on_the_same_amphora() -> None:
    at = at_work()
    first = at.only()
    at.boots = False
    at.tell(renewal(at, first.id))
    at.ask(FAIL_OVER)
    at.settle()
    assert at.wish.failed
    at.tell(no_renewal(first.id))
    assert first.id in ids(at.state.leaving())
    at.boots = True
    at.wait(LIMITS.retry_s + 1)
    at.settle()
    assert first.id not in ids(at.state.serving())
    assert (at.wish.pending, at.wish.failed, at.wish.ended) == (False, 0, 2)
