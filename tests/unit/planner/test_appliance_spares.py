"""Stories of an appliance that asks a pool for spares: handed out, denied, too late."""

import builders as a
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora
from unit.planner.appliances import PAIR, Around, at_work, born, spare
from unit.planner.news import port_failed


def test_a_ready_spare_takes_the_place_and_only_a_port_and_a_configuration_are_new_to_it() -> None:
    at = at_work()
    at.spares = {spare("one"): "host-2"}
    at.lose(at.only().id)
    assert at.types() == ["amphora-dismissed", "spare-sought"]
    at.answer(at.searches[0])
    assert at.types()[2:] == ["spare-search-ended", "amphora-appointed", "amphora-joined", "bundle-cut"]
    assert at.only().id == spare("one")
    assert at.only().host == "host-2"
    assert at.ordered(BootAmphora) == []
    (settle,) = [o for o in at.orders() if o.TYPE == "port.settle" and o.target == spare("one")]
    assert getattr(settle, "revision", 0) > 1
    at.settle()
    assert at.runs[spare("one")].holds_vips


def test_where_the_pool_denies_one_is_booted() -> None:
    at = at_work()
    at.spares = {spare("one"): "host-2"}
    at.lose(at.only().id)
    at.spares.clear()
    at.settle()
    assert at.runs[at.only().id].holds_vips


def test_a_search_without_an_answer_ends_and_the_spare_that_comes_too_late_is_sent_away() -> None:
    at = at_work()
    at.spares = {spare("late"): "host-2"}
    at.lose(at.only().id)
    at.wait(61)
    cold = at.only()
    assert cold.id != spare("late")
    at.settle()
    assert at.only().id == cold.id
    assert spare("late") not in at.state.amphorae
    assert at.runs[cold.id].holds_vips


def test_a_deleted_load_balancers_appliance_waits_for_the_spare_that_it_asked_for() -> None:
    at = born()
    at = Around(wish=at.wish, spares={spare("late"): "host-2"})
    at.admit()
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert not at.state.retired
    at.settle()
    assert at.state.retired
    assert spare("late") in at.over


def test_a_spare_whose_port_cannot_be_had_is_replaced() -> None:
    at = at_work()
    at.spares = {spare("one"): "host-2"}
    at.lose(at.only().id)
    at.answer(at.searches[0])
    at.tell(port_failed(spare("one"), at.only().vip_port_id))
    at.settle()
    assert at.only().id != spare("one")
    assert at.runs[at.only().id].holds_vips


def test_a_pair_takes_two_spares_on_different_hosts_one_after_the_other() -> None:
    at = Around(wish=born(**PAIR).wish, spares={spare("one"): "host-1", spare("two"): "host-1", spare("3"): "host-2"})
    at.admit()
    at.settle()
    assert {at.hosts[each.id] for each in at.state.serving()} == {"host-1", "host-2"}
    assert len(at.spares) == 1
    assert not at.wish.pending
