"""Stories of one appliance: lost, replaced, exchanged, split; who has the addresses, and what load balancers see of it."""

import builders as a
from actium_planner.deciders.appliance import Outcome, Stage
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.commands.network import SettlePorts
from actium_shared.events import amphora as amphorae
from actium_shared.events import appliance as events
from actium_shared.events import network
from actium_shared.ids import AmphoraId
from actium_shared.message import Reason, Rejected
from unit.planner.appliances import APPLIANCE, HOSTS, LIMITS, PAIR, Around, at_work, booted, born, ids, lost

RENAME = commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(admin_state_up=False))
FAIL_OVER = commands.FailOverLoadBalancer(load_balancer_id=a.LB)


def configuration(at: Around, amphora_id: AmphoraId) -> ConfigureAmphora:
    """Give what is ordered for an amphora now."""
    (order,) = [o for o in at.plan().orders if isinstance(o, ConfigureAmphora) and o.amphora_id == amphora_id]
    return order


# -- alone


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
    at.tell(amphorae.AmphoraDeleted(amphora_id=first.id, appliance_id=APPLIANCE))
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


# -- spares


def spare(name: str) -> AmphoraId:
    return AmphoraId(a.an_id(name))


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
    failed = network.PortFailed(
        amphora_id=spare("one"), appliance_id=APPLIANCE, port_id=at.only().vip_port_id, reason="out of addresses"
    )
    at.tell(failed)
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


# -- pairs


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


# -- planned failover


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


# -- operators


def on(command: type[commands.ApplianceCommand], amphora_id: AmphoraId) -> commands.ApplianceCommand:
    return command(appliance_id=APPLIANCE, amphora_id=amphora_id)


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


def test_an_appliance_without_load_balancers_deletes_without_fences() -> None:
    at = at_work(**PAIR)
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert at.ordered(FenceAmphora) == []
    at.settle()
    assert at.state.retired


def test_hosts_are_enough_for_the_stories() -> None:
    assert len(HOSTS) == 3


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
