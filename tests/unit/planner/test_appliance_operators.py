"""What operators say about one amphora: exchanged, removed, configured anew."""

from actium_planner.deciders.appliance import Stage
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import FenceAmphora
from actium_shared.ids import AmphoraId
from actium_shared.message import Reason, Rejected
from unit.planner.appliances import PAIR, at_work, configuration, on


def test_an_unknown_amphora_is_refused() -> None:
    at = at_work()
    for command in (commands.FailOverAmphora, commands.RemoveAmphora, commands.ReconfigureAmphora):
        answer = at.operate(on(command, AmphoraId("who")))
        assert isinstance(answer, Rejected)
        assert answer.reason is Reason.NOT_FOUND


def test_one_that_is_removed_goes_at_once_and_is_replaced() -> None:
    at = at_work()
    for _ in range(6):  # however often
        first = at.only()
        at.operate(on(commands.RemoveAmphora, first.id))
        assert first.id in at.ordered(FenceAmphora)
        at.settle()
        assert at.only().id != first.id
        assert at.operate(on(commands.RemoveAmphora, first.id))
    assert at.wish.failed == 0


def test_a_master_that_is_removed_yields_first_and_goes_when_its_partner_has_taken_over() -> None:
    at = at_work(**PAIR)
    master, backup = at.member("MASTER"), at.member("BACKUP")
    at.operate(on(commands.RemoveAmphora, master.id))
    assert at.ordered(FenceAmphora) == []
    assert configuration(at, master.id).yields
    at.work(configuration(at, master.id))
    at.says(master.id, "BACKUP")
    at.says(backup.id, "MASTER")
    assert at.ordered(FenceAmphora) == [master.id]
    at.settle()
    assert master.id not in at.state.amphorae
    assert len(at.runs) == 2
    assert not at.wish.pending


def test_a_master_that_is_removed_once_more_goes_at_once() -> None:
    at = at_work(**PAIR)
    master = at.member("MASTER")
    for _ in range(2):
        at.operate(on(commands.RemoveAmphora, master.id))
    assert at.ordered(FenceAmphora) == [master.id]


def test_a_standby_that_is_removed_goes_at_once() -> None:
    at = at_work(**PAIR)
    backup = at.member("BACKUP")
    at.operate(on(commands.RemoveAmphora, backup.id))
    assert at.ordered(FenceAmphora) == [backup.id]


def test_one_that_is_failed_over_is_exchanged_and_its_load_balancer_stays_active() -> None:
    at = at_work(**PAIR)
    backup = at.member("BACKUP")
    at.operate(on(commands.FailOverAmphora, backup.id))
    assert at.operate(on(commands.FailOverAmphora, backup.id)) == []
    assert not at.wish.pending
    at.settle()
    assert backup.id not in at.state.amphorae
    assert len(at.runs) == 2


def test_a_configuration_is_sent_again_with_a_number_of_its_own() -> None:
    at = at_work()
    before = at.state.bundle.number
    at.operate(on(commands.ReconfigureAmphora, at.only().id))
    assert configuration(at, at.only().id).bundle == before + 1
    at.settle()
    assert (at.wish.pending, at.wish.failed) == (False, 0)


def test_one_that_is_removed_before_it_has_come_has_nothing_to_yield() -> None:
    at = at_work(**PAIR)
    at.lose(at.member("MASTER").id)
    coming = next(each for each in at.state.serving() if each.stage is Stage.APPOINTED)
    at.operate(on(commands.RemoveAmphora, coming.id))
    assert "amphora-yielding" not in at.types()
    assert at.state.amphorae[coming.id].stage is Stage.DISMISSED
    at.wait(100)
    at.settle()
    assert len(at.runs) == 2
