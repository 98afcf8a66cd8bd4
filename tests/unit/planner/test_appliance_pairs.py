"""Stories of a pair: who is master, who is lost, who ranks where. What is planned is elsewhere."""

import builders as a
from actium_planner.deciders.appliance import Stage
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, FenceAmphora
from actium_shared.commands.network import SettlePorts
from unit.planner.appliances import HOSTS, PAIR, RENAME, at_work, born, ids
from unit.planner.news import APPLIANCE


def test_a_pair_is_active_when_both_serve_and_each_names_the_other() -> None:
    at = born(**PAIR)
    assert {each.role for each in at.state.serving()} == {"MASTER", "BACKUP"}
    boots = [order for order in at.plan().orders if isinstance(order, BootAmphora)]
    assert {order.group for order in boots} == {APPLIANCE}
    master, backup = at.member("MASTER"), at.member("BACKUP")
    for order in at.orders():
        if order.target == master.id:
            at.work(order)
    assert at.wish.pending
    at.settle()
    assert not at.wish.pending
    assert [peer.amphora_id for peer in at.runs[master.id].peers] == [backup.id]
    assert [peer.amphora_id for peer in at.runs[backup.id].peers] == [master.id]
    assert at.runs[backup.id].holds_vips  # keepalived decides


def test_what_the_flavor_says_of_adverts_driver_and_machines_stands_in_the_orders() -> None:
    flavor = {**PAIR["flavor"], "vrrp_advertisement_interval_ms": 300, "amphora_driver": "x", "compute_flavor": "m1"}
    at = born(flavor=flavor, availability_zone_data={"compute_zone": "z1", "management_network": "net-1"})
    boot = next(order for order in at.plan().orders if isinstance(order, BootAmphora))
    configure = next(order for order in at.plan().orders if isinstance(order, ConfigureAmphora))
    assert (boot.driver, boot.compute_flavor, boot.compute_zone) == ("x", "m1", "z1")
    ports = next(order for order in at.plan().orders if isinstance(order, SettlePorts)).ports
    assert [port.network_id for port in ports] == ["net-1", None]
    assert (configure.driver, configure.advert_interval_ms) == ("x", 300)


def test_the_replacement_in_a_pair_avoids_its_partners_host() -> None:
    at = at_work(**PAIR)
    master, backup = at.member("MASTER"), at.member("BACKUP")
    at.lose(master.id)
    (order,) = [order for order in at.plan().orders if isinstance(order, BootAmphora)]
    assert order.avoid_hosts == (at.hosts[backup.id],)
    at.settle()
    assert at.hosts[at.member("MASTER").id] != at.hosts[backup.id]
    assert ids(at.state.serving()) == {backup.id, at.member("MASTER").id}


def test_a_users_change_does_not_wait_for_a_newcomer_to_boot() -> None:
    at = at_work(**PAIR)
    at.lose(at.member("MASTER").id)
    at.ask(RENAME)
    at.settle(BootAmphora)
    assert (at.wish.pending, at.wish.ended) == (False, 2)
    at.settle()
    assert len(at.runs) == 2
    assert {runs.load_balancers[0].generation for runs in at.runs.values()} == {2}


def test_a_newcomer_to_a_pair_is_configured_only_when_its_partner_knows_of_it() -> None:
    at = at_work(**PAIR)
    backup = at.member("BACKUP")
    at.lose(at.member("MASTER").id)
    at.silent.add(backup.id)  # it is slow
    at.settle()
    newcomer = at.member("MASTER")
    assert newcomer.stage is Stage.JOINED
    assert newcomer.id not in at.ordered(ConfigureAmphora)
    at.silent.clear()
    at.settle()
    assert newcomer.id in at.runs


def test_a_newcomer_to_a_pair_ranks_behind_all_who_were_there_before_whatever_its_role() -> None:
    at = at_work(**PAIR)
    master, backup = at.member("MASTER"), at.member("BACKUP")
    assert (at.runs[master.id].rank, at.runs[backup.id].rank) == (0, 1)
    at.lose(master.id)
    at.settle()
    newcomer = at.member("MASTER")
    assert (at.runs[backup.id].rank, at.runs[newcomer.id].rank) == (0, 1)


def test_one_that_is_gone_is_named_until_it_is_fenced() -> None:
    at = at_work(**PAIR)
    master, backup = at.member("MASTER"), at.member("BACKUP")
    at.fences = False
    at.lose(master.id)
    at.settle()
    newcomer = at.member("MASTER")
    assert {peer.amphora_id for peer in at.runs[backup.id].peers} == {master.id, newcomer.id}
    at.fences = True
    at.settle()
    assert {peer.amphora_id for peer in at.runs[backup.id].peers} == {newcomer.id}


def test_a_pair_that_cannot_have_another_half_serves_on_and_takes_changes() -> None:
    at = at_work(**PAIR)
    at.boots = False
    at.lose(at.member("BACKUP").id)
    at.settle()
    assert "failed" in at.types()
    assert at.wish.failed == 0
    at.ask(RENAME)
    at.settle()
    assert (at.wish.pending, at.wish.failed, at.wish.ended) == (False, 0, 2)
    at.boots = True
    at.wait(31)
    at.settle()
    assert len(at.runs) == 2


def test_a_new_pair_of_which_one_cannot_be_had_is_an_error_and_heals() -> None:
    at = born(**PAIR)
    (first, *_) = at.state.ordered()
    for order in at.orders():
        if order.target == first.id:
            at.work(order)
    at.boots = False
    at.settle()
    assert at.wish.failed == 1
    at.boots = True
    at.wait(31)
    at.settle()
    assert (at.wish.failed, at.wish.ended) == (0, 1)


def test_one_of_a_pair_that_does_not_take_a_bundle_is_replaced_and_the_round_ends_without_it() -> None:
    at = at_work(**PAIR)
    slow = at.member("BACKUP")
    at.silent.add(slow.id)
    at.ask(RENAME)
    at.settle()
    assert at.wish.pending
    at.wait(61)
    assert (at.wish.pending, at.wish.failed) == (False, 0)
    assert at.state.amphorae[slow.id].stage is Stage.DISMISSED
    at.settle()
    assert len(at.runs) == 2


def test_a_newcomer_that_alone_refuses_is_replaced_and_no_round_fails() -> None:
    at = at_work(**PAIR)
    at.lose(at.member("BACKUP").id)
    at.refuses.add(at.member("BACKUP").id)
    at.settle()
    assert at.wish.failed == 0
    assert len(at.runs) == 2


def test_both_halves_lost_are_both_replaced() -> None:
    at = at_work(**PAIR)
    for each in at.state.serving():
        at.lose(each.id)
    at.settle()
    assert len(at.runs) == 2
    assert len({at.hosts[each] for each in at.runs}) == 2
    assert (at.wish.pending, at.wish.failed) == (False, 0)


def test_two_masters_for_too_long_end_with_the_last_in_a_new_epoch() -> None:
    at = at_work(**PAIR)
    master, backup = at.member("MASTER"), at.member("BACKUP")
    at.says(backup.id, "MASTER")
    at.wait(2)
    assert len(at.state.serving()) == 2
    at.wait(2)
    assert at.state.amphorae[master.id].stage is Stage.DISMISSED
    assert master.id in at.ordered(FenceAmphora)
    assert at.state.bundle.epoch == 2
    at.settle()
    assert at.runs[backup.id].epoch == 2
    assert len(at.runs) == 2


def test_two_masters_for_a_moment_are_a_switch() -> None:
    at = at_work(**PAIR)
    at.says(at.member("BACKUP").id, "MASTER")
    at.says(at.member("MASTER").id, "BACKUP")
    at.wait(100)
    assert at.state.bundle.epoch == 1
    assert "amphora-dismissed" not in at.types()


def test_hosts_are_enough_for_the_stories() -> None:
    assert len(HOSTS) == 3


def test_an_appliance_without_load_balancers_deletes_without_fences() -> None:
    at = at_work(**PAIR)
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert at.ordered(FenceAmphora) == []
    at.settle()
    assert at.state.retired
