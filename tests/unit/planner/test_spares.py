"""Pools of spares: kept full, spread, trimmed, handed out, replaced. Given what happened, when, then."""

from actium_planner.deciders import spares
from actium_planner.deciders.spares import Sizing, SparesState, Stage
from actium_planner.plans import spares as plans
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora, DeleteAmphora
from actium_shared.commands.network import FINAL_REVISION, SettlePorts
from actium_shared.events import spares as events
from actium_shared.ids import AmphoraId, PortId
from actium_shared.message import Reason, Rejected
from unit.planner.lives import NOW
from unit.planner.news import APPLIANCE
from unit.planner.spare_pools import (
    LIMITS,
    POOL,
    POOLS,
    after,
    appointed,
    at,
    boot_failed,
    booted,
    cleared,
    deleted,
    full,
    lost,
    port_failed,
    sized,
    sought,
    types,
)

# -- sizes


def test_a_pool_is_filled_at_once() -> None:
    assert types(spares.resize(POOL, SparesState(), Sizing(size=2, image_tag="x"), at())) == [
        "sized",
        "spare-appointed",
        "spare-appointed",
    ]


def test_a_pool_of_none_needs_no_pool() -> None:
    assert spares.resize(POOL, SparesState(), Sizing(size=0, image_tag="x"), at()) == []


def test_the_same_size_again_changes_nothing() -> None:
    assert spares.resize(POOL, sized(2), Sizing(size=2, image_tag="default"), at()) == []


def test_what_is_still_to_come_is_trimmed_before_what_is_ready() -> None:
    state = sized(2)
    ready, coming = appointed(state)
    state = after(state, booted(ready))
    happened = spares.resize(POOL, state, Sizing(size=1, image_tag="default"), at())
    assert [event.amphora_id for event in happened if isinstance(event, events.SpareDismissed)] == [coming]


def test_of_those_that_are_ready_one_goes_from_where_most_are() -> None:
    state = full("host-1", "host-2", "host-2")
    grown = spares.fold(state, spares.resize(POOL, state, Sizing(size=2, image_tag="default"), at()))
    assert {spare.host for spare in grown.waiting()} == {"host-1", "host-2"}


def test_a_pool_that_is_ended_lets_all_go() -> None:
    state = full("host-1", "host-2")
    grown = spares.fold(state, spares.resize(POOL, state, Sizing(size=0, image_tag="default"), at()))
    assert not grown.waiting()
    assert len(grown.uncleared()) == 2


def test_another_image_replaces_them_all() -> None:
    state = full("host-1", "host-2")
    grown = sized(2, "v2", state)
    assert len(grown.uncleared()) == 2
    assert len(appointed(grown)) == 2
    boots = [order for order in plans.plan(grown, LIMITS).orders if isinstance(order, BootAmphora)]
    assert {order.image_tag for order in boots} == {"v2"}


# -- handing out


def test_a_search_is_answered_with_one_that_is_ready_and_the_pool_is_filled_again() -> None:
    state = full("host-1")
    happened = spares.follow(sought(7), state, at())
    assert types(happened) == ["spare-handed-out", "spare-appointed"]
    handed_out = happened[0]
    assert isinstance(handed_out, events.SpareHandedOut)
    assert (handed_out.appliance_id, handed_out.search, handed_out.host) == (APPLIANCE, 7, "host-1")
    assert handed_out.amphora_id not in spares.fold(state, happened).spares


def test_a_search_that_avoids_hosts_gets_none_from_there() -> None:
    state = full("host-1", "host-2")
    first = after(state, sought(1, "host-1"))
    assert [spare.host for spare in first.ordered(Stage.READY)] == ["host-1"]
    (denied,) = spares.follow(sought(2, "host-1"), first, at())
    assert isinstance(denied, events.SpareDenied)
    assert denied.search == 2
    assert "host-1" in denied.reason


def test_what_has_not_booted_is_not_handed_out() -> None:
    assert types(spares.follow(sought(), sized(1), at())) == ["spare-denied"]


def test_a_pool_that_does_not_exist_denies() -> None:
    (denied,) = spares.follow(sought(), SparesState(), at())
    assert isinstance(denied, events.SpareDenied)
    assert denied.spares_id == POOL


def test_handing_out_keeps_the_rest_spread() -> None:
    state = after(full("host-1", "host-1", "host-2"), sought())
    assert sorted(spare.host for spare in state.ordered(Stage.READY)) == ["host-1", "host-2"]


def test_a_new_one_had_better_come_to_another_host() -> None:
    state = after(full("host-1", "host-2"), sought(1, "host-1"))
    (spare,) = state.ordered(Stage.APPOINTED)
    assert spare.avoid_hosts == ("host-1",)
    boot = next(order for order in plans.plan(state, LIMITS).orders if isinstance(order, BootAmphora))
    assert (boot.prefer_not_hosts, boot.avoid_hosts, boot.spread) == (("host-1",), (), POOL)


# -- what goes wrong


def test_one_that_does_not_boot_is_followed_by_a_pause_that_grows() -> None:
    state, pauses, now_s = sized(1), [], 0.0
    for _ in range(8):
        (amphora_id,) = appointed(state)
        state = after(state, boot_failed(amphora_id), deleted(amphora_id), cleared(amphora_id), seconds=now_s)
        assert not appointed(state)
        assert state.retry_at is not None
        assert list(spares.deadlines(state)) == [state.retry_at]
        pause_s = (state.retry_at - NOW).total_seconds() - now_s
        pauses.append(pause_s)
        now_s += pause_s
        state = spares.fold(state, spares.lapse(state, at(now_s)))
    assert pauses == [30, 60, 120, 240, 480, 960, 960, 960]


def test_many_that_fail_at_once_are_one_failure_and_then_one_is_tried() -> None:
    state = sized(5)
    state = after(state, *(boot_failed(amphora_id) for amphora_id in appointed(state)))
    assert state.failures == 1
    for spare in state.uncleared():
        state = after(state, deleted(spare.id), cleared(spare.id))
    state = spares.fold(state, spares.lapse(state, at(31)))
    (tried,) = appointed(state)
    state = after(state, booted(tried), seconds=40)
    assert (state.failures, len(state.waiting())) == (0, 5)


def test_one_that_is_late_is_dismissed() -> None:
    state = sized(1)
    happened = spares.lapse(state, at(61))
    assert types(happened) == ["spare-dismissed", "failed"]


def test_one_that_is_lost_is_replaced_without_a_pause() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    happened = spares.follow(lost(ready.id), state, at())
    assert types(happened) == ["spare-dismissed", "spare-appointed"]
    assert spares.follow(lost(ready.id), spares.fold(state, happened), at()) == []


def test_news_of_one_that_was_handed_out_goes_on_to_its_appliance() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    state = after(state, sought())
    for news in (lost(ready.id), deleted(ready.id), boot_failed(ready.id)):
        (told,) = spares.follow(news, state, at())
        assert isinstance(told, events.HandedOutSpareLost)
        assert (told.amphora_id, told.appliance_id) == (ready.id, APPLIANCE)
    assert spares.follow(lost(AmphoraId("nobody")), state, at()) == []


def test_one_whose_machine_was_deleted_by_others_is_replaced() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    assert types(spares.follow(deleted(ready.id), state, at())) == [
        "spare-dismissed",
        "spare-shut-down",
        "spare-appointed",
    ]


def test_a_management_port_that_cannot_be_had_is_a_failure_and_old_news_of_one_is_not() -> None:
    state = sized(1)
    (coming,) = appointed(state)
    failed = port_failed(coming, PortId("p"))
    assert types(spares.follow(failed, state, at())) == ["spare-dismissed", "failed"]
    assert spares.follow(failed, after(state, booted(coming)), at()) == []


def test_no_more_are_appointed_while_too_many_have_not_been_cleared_away() -> None:
    state = full("host-1")
    for _ in range(10):
        for spare in state.waiting():
            state = after(state, booted(spare.id), lost(spare.id))
    assert len(state.uncleared()) == 4
    assert not state.waiting()
    gone = state.uncleared()[0].id
    state = after(state, deleted(gone), cleared(gone))
    assert len(state.waiting()) == 1


# -- operators


def test_a_spare_that_an_operator_removes_is_made_anew() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    for kind in (commands.RemoveAmphora, commands.FailOverAmphora):
        command = kind(appliance_id=POOLS, amphora_id=ready.id)
        happened = spares.decide(command, state, at())
        assert types(happened) == ["spare-dismissed", "spare-appointed"]
        assert not isinstance(happened, Rejected)
        assert spares.decide(command, spares.fold(state, happened), at()) == []


def test_a_spare_has_nothing_to_be_configured() -> None:
    state = full("host-1")
    command = commands.ReconfigureAmphora(appliance_id=POOLS, amphora_id=state.waiting()[0].id)
    assert spares.decide(command, state, at()) == []


def test_an_amphora_that_is_not_there_is_not_found() -> None:
    command = commands.RemoveAmphora(appliance_id=POOLS, amphora_id=AmphoraId("nobody"))
    answer = spares.decide(command, full("host-1"), at())
    assert isinstance(answer, Rejected)
    assert answer.reason is Reason.NOT_FOUND


# -- plans


def test_a_spare_has_a_management_port_and_no_other() -> None:
    settle, boot = plans.plan(sized(1), LIMITS).orders
    assert isinstance(settle, SettlePorts)
    assert isinstance(boot, BootAmphora)
    assert [port.subnet_id for port in settle.ports] == [None]
    assert (boot.vip_port_id, boot.appliance_id, settle.revision) == (None, POOLS, 1)


def test_one_that_is_dismissed_is_deleted_and_then_its_port_is() -> None:
    state = full("host-1")
    (ready,) = state.waiting()
    state = spares.fold(state, spares.resize(POOL, state, Sizing(size=0, image_tag="default"), at()))
    assert [type(order) for order in plans.plan(state, LIMITS).orders] == [DeleteAmphora]
    state = after(state, deleted(ready.id))
    (order,) = plans.plan(state, LIMITS).orders
    assert isinstance(order, SettlePorts)
    assert (order.revision, order.ports) == (FINAL_REVISION, ())
    assert not after(state, cleared(ready.id)).spares
