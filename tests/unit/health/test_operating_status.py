"""The table of statuses, row by row, and what is left unsaid."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from actium_health.operating_status import Kind, changes, leading, operating_statuses
from actium_health.report import Edge, PoolReport, Report, with_edges
from unit.health.given import node, report, tree

ALL_WELL = {
    ("listener", "listener"): "ONLINE",
    ("pool", "pool"): "ONLINE",
    ("member", "member"): "ONLINE",
    ("loadbalancer", "lb"): "ONLINE",
}


def test_everything_up_is_online() -> None:
    assert operating_statuses(tree(), report(), held=1) == ALL_WELL


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("UP", "ONLINE"),
        ("UP 1/3", "ONLINE"),
        ("DOWN", "ERROR"),
        ("DOWN 1/2", "ERROR"),
        ("DRAIN", "DRAINING"),
        ("DRAIN (agent)", "DRAINING"),
        ("NOLB", "DRAINING"),
        ("MAINT", "OFFLINE"),
        ("MAINT (via b/s)", "OFFLINE"),
        ("no check", "NO_MONITOR"),
    ],
)
def test_a_members_status_follows_haproxys_word(word: str, status: str) -> None:
    found = operating_statuses(tree(), report(members={"member": word}), held=1)
    assert found["member", "member"] == status


@pytest.mark.parametrize(("word", "status"), [("UP", "NO_MONITOR"), ("MAINT", "OFFLINE"), ("DRAIN", "DRAINING")])
def test_a_member_that_nobody_checks_is_never_online(word: str, status: str) -> None:
    unmonitored = tree(pools=(node(Kind.POOL, "pool"),))
    seen = with_edges(report(members={"member": "MAINT"}), edge_about_member(word))
    assert operating_statuses(unmonitored, seen, held=1)["member", "member"] == status


def edge_about_member(word: str) -> list[Edge]:
    return [Edge(kind="member", id="member", pool_id="pool", status=word, reason="")]


def test_a_word_that_nobody_knows_leaves_the_member_as_it_is() -> None:
    assert ("member", "member") not in operating_statuses(tree(), report(members={"member": "RESTARTING"}), held=1)


def test_a_full_listener_degrades_itself_and_the_load_balancer() -> None:
    found = operating_statuses(tree(), report(listener="FULL"), held=1)
    assert (found["listener", "listener"], found["loadbalancer", "lb"]) == ("DEGRADED", "DEGRADED")


def test_a_pool_that_is_down_is_an_error_of_the_load_balancer() -> None:
    found = operating_statuses(tree(), report(pool="DOWN", members={"member": "DOWN"}), held=1)
    assert (found["pool", "pool"], found["loadbalancer", "lb"]) == ("ERROR", "ERROR")


def test_one_member_down_of_two_degrades_pool_and_load_balancer() -> None:
    found = operating_statuses(tree(), report(members={"member": "UP", "other": "DOWN"}), held=1)
    assert (found["pool", "pool"], found["loadbalancer", "lb"]) == ("DEGRADED", "DEGRADED")


def test_disabled_objects_are_offline_whatever_is_reported() -> None:
    disabled = tree(
        load_balancer=node(Kind.LOAD_BALANCER, "lb", enabled=False),
        pools=(node(Kind.POOL, "pool", enabled=False),),
        members=(node(Kind.MEMBER, "member", parent_id="pool", enabled=False),),
    )
    assert set(operating_statuses(disabled, report(), held=1).values()) == {"OFFLINE"}


def test_a_listener_that_should_run_and_does_not_is_an_error() -> None:
    found = operating_statuses(tree(), report(listeners={}, pools={}), held=1)
    assert found == {
        ("listener", "listener"): "ERROR",
        ("pool", "pool"): "OFFLINE",
        ("member", "member"): "OFFLINE",
        ("loadbalancer", "lb"): "ERROR",
    }


def test_one_beat_alone_is_not_believed_that_a_listener_is_missing() -> None:
    assert operating_statuses(tree(), report(listeners={}, pools={}, settled=False), held=1) == {}


def test_what_the_bundle_does_not_hold_yet_is_not_missed() -> None:
    newer = tree(listeners=(node(Kind.LISTENER, "listener"), node(Kind.LISTENER, "new", generation=2)))
    assert operating_statuses(newer, report(), held=1) == ALL_WELL


def test_a_bundle_without_the_load_balancer_says_nothing() -> None:
    assert operating_statuses(tree(), report(), held=0) == {}


def test_members_of_an_unused_pool_without_monitor_stay_no_monitor() -> None:
    unused = tree(listeners=(), pools=(node(Kind.POOL, "pool"),))
    found = operating_statuses(unused, report(listeners={}, pools={}), held=1)
    assert (found["member", "member"], found["pool", "pool"]) == ("NO_MONITOR", "OFFLINE")


def test_only_what_differs_from_the_record_is_a_change_and_parents_come_first() -> None:
    found = operating_statuses(tree(), report(members={"member": "DOWN"}), held=1)
    said = changes(found, ALL_WELL, {"member": "Layer4 timeout"})
    assert [(change.kind, change.operating_status, change.reason) for change in said] == [
        ("loadbalancer", "DEGRADED", None),
        ("pool", "DEGRADED", None),
        ("member", "ERROR", "Layer4 timeout"),
    ]


def test_offline_is_the_start_value_and_no_change_but_for_members() -> None:
    disabled = tree(load_balancer=node(Kind.LOAD_BALANCER, "lb", enabled=False))
    found = operating_statuses(disabled, report(members={"member": "MAINT"}), held=1)
    assert [(c.kind, c.operating_status) for c in changes(found, {}, {})] == [("pool", "ONLINE"), ("member", "OFFLINE")]


def test_who_serves_is_believed_over_who_stands_by() -> None:
    for standby in ("BACKUP", "LEARNING"):
        assert leading([report(role=standby, bundle=9), report(role="MASTER")]) == report(role="MASTER")
    assert leading([report(bundle=1), report(bundle=2)]) == report(bundle=2)
    assert leading([]) is None


WORDS = st.sampled_from(["UP", "UP 1/2", "DOWN", "DOWN 1/2", "DRAIN", "MAINT", "no check", "NOLB", "whatever"])
REPORTS = st.builds(
    report,
    listeners=st.dictionaries(st.sampled_from(["listener", "alien"]), st.sampled_from(["OPEN", "FULL", "STOP", "?"])),
    pools=st.dictionaries(
        st.sampled_from(["pool", "alien"]),
        st.builds(
            PoolReport, status=st.sampled_from(["UP", "DOWN"]), members=st.dictionaries(st.just("member"), WORDS)
        ),
    ),
    settled=st.booleans(),
)


@for_all(REPORTS, st.integers(0, 2))
def test_whatever_is_reported_only_objects_of_the_tree_are_judged_and_a_repeat_is_silent(
    seen: Report, held: int
) -> None:
    found = operating_statuses(tree(), seen, held=held)
    assert set(found) <= set(ALL_WELL)
    assert changes(found, {key: str(status) for key, status in found.items()}, {}) == ()
