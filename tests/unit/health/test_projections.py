"""Events to rows, and back to what the judge sees."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from actium_health.migrations import upgrade
from actium_health.operating_status import Kind
from actium_health.read_model import queries, tables
from actium_health.read_model.projections import project
from actium_shared.event_store import Recorded
from actium_shared.events import appliance, load_balancer
from actium_shared.events.health import OperatingStatusChanged, StatusChange
from actium_shared.ids import PoolId
from actium_shared.message import Event
from actium_shared.read_model import Database
from builders import LB, LISTENER, MEMBER, MONITOR, POOL, an_id, health_monitor, member, pool
from unit.health.given import AMPHORA, APPLIANCE, NOW, amphora_deleted, booted, planner_events, recorded


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    database = Database("sqlite://")
    upgrade(database.engine)
    with database.engine.begin() as opened:
        yield opened
    database.close()


def given(connection: sa.Connection, *commits: Recorded) -> None:
    for item in commits:
        project(connection, item)


def created() -> list[Recorded]:
    return [
        recorded("planner", aggregate, about, sequence, *events)
        for sequence, (aggregate, about, events) in enumerate(planner_events(), 1)
    ]


def lb_commit(*events: Event) -> Recorded:
    return recorded("planner", "loadbalancer", LB, 9, *events)


def said(status: str, sequence: int = 1) -> Recorded:
    change = StatusChange(kind="member", id=MEMBER, operating_status=status)
    event = OperatingStatusChanged(load_balancer_id=LB, changes=(change,))
    return recorded("health", "health", LB, sequence, event)


def seen(connection: sa.Connection) -> queries.Case:
    case = queries.case(connection, LB)
    assert case is not None
    return case


def rows(connection: sa.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table.name: sorted(tuple(row) for row in connection.execute(sa.select(table)))
        for table in tables.METADATA.sorted_tables
    }


def test_the_migrations_make_the_tables_that_the_code_knows(connection: sa.Connection) -> None:
    found = sa.inspect(connection)
    for table in tables.METADATA.sorted_tables:
        assert [column["name"] for column in found.get_columns(table.name)] == [column.name for column in table.columns]
        assert {index["column_names"][0] for index in found.get_indexes(table.name)} == {
            column.name for column in table.columns if column.index
        }


def test_a_placed_load_balancer_is_a_case_with_its_tree_and_its_amphorae(connection: sa.Connection) -> None:
    given(connection, *created())
    case = seen(connection)
    assert [node.id for node in (*case.tree.listeners, *case.tree.pools, *case.tree.members)] == [
        LISTENER,
        POOL,
        MEMBER,
    ]
    assert case.tree.pools[0].monitored
    assert (case.amphora_ids, case.held, case.sequence) == ((AMPHORA,), {1: 1}, 0)


def test_what_was_recorded_is_remembered_with_its_sequence(connection: sa.Connection) -> None:
    given(connection, *created(), said("ONLINE", 4), said("ERROR", 7))
    assert seen(connection).recorded == {("member", MEMBER): "ERROR"}
    assert seen(connection).sequence == 7


def test_a_removed_pool_takes_members_and_their_statuses_along(connection: sa.Connection) -> None:
    removed = load_balancer.PoolRemoved(load_balancer_id=LB, generation=2, pool_id=POOL)
    given(connection, *created(), said("ONLINE"), lb_commit(removed))
    case = seen(connection)
    assert (case.tree.pools, case.tree.members, case.recorded) == ((), (), {})


def test_a_status_of_an_object_that_is_gone_is_dropped(connection: sa.Connection) -> None:
    removed = load_balancer.MemberRemoved(load_balancer_id=LB, generation=2, pool_id=POOL, member_id=MEMBER)
    given(connection, *created(), lb_commit(removed), said("ONLINE"))
    assert seen(connection).recorded == {}


def test_of_a_deleted_load_balancer_no_row_is_left_and_late_news_brings_none_back(connection: sa.Connection) -> None:
    gone = load_balancer.LoadBalancerDeletionRequested(load_balancer_id=LB, generation=2)
    late = load_balancer.PoolUpdated(load_balancer_id=LB, generation=2, pool=pool())
    retired = recorded("planner", "appliance", APPLIANCE, 10, appliance.ApplianceRetired(appliance_id=APPLIANCE))
    given(connection, *created(), said("ONLINE"), lb_commit(gone, late), said("ERROR", 8), retired)
    assert queries.case(connection, LB) is None
    left = rows(connection)
    assert {name for name, found in left.items() if found} == {"amphorae"}


def test_a_monitor_that_is_removed_or_disabled_leaves_the_pool_unmonitored(connection: sa.Connection) -> None:
    off = load_balancer.HealthMonitorUpdated(
        load_balancer_id=LB, generation=2, pool_id=POOL, health_monitor=health_monitor(admin_state_up=False)
    )
    on = load_balancer.HealthMonitorUpdated(
        load_balancer_id=LB, generation=3, pool_id=POOL, health_monitor=health_monitor()
    )
    removed = load_balancer.HealthMonitorRemoved(
        load_balancer_id=LB, generation=4, pool_id=POOL, health_monitor_id=MONITOR
    )
    given(connection, *created())
    found = []
    for event in (off, on, removed):
        given(connection, lb_commit(event))
        found.append(seen(connection).tree.pools[0].monitored)
    assert found == [False, True, False]


def test_a_disabled_member_is_seen_as_such(connection: sa.Connection) -> None:
    disabled = load_balancer.MemberUpdated(
        load_balancer_id=LB, generation=2, pool_id=POOL, member=member(admin_state_up=False)
    )
    given(connection, *created(), lb_commit(disabled))
    (found,) = seen(connection).tree.members
    assert (found.enabled, found.generation, found.parent_id) == (False, 2, POOL)


def test_bundles_behind_the_applied_one_are_forgotten(connection: sa.Connection) -> None:
    cut = appliance.BundleCut(appliance_id=APPLIANCE, bundle=2, holds={LB: 3}, deadline_at=NOW)
    applied = appliance.BundleApplied(appliance_id=APPLIANCE, bundle=2, holds={LB: 3})
    given(connection, *created(), recorded("planner", "appliance", APPLIANCE, 3, cut))
    assert seen(connection).held == {1: 1, 2: 3}
    given(connection, recorded("planner", "appliance", APPLIANCE, 4, applied))
    assert seen(connection).held == {2: 3}


def test_a_dismissed_amphora_is_known_but_not_listened_to(connection: sa.Connection) -> None:
    dismissed = appliance.AmphoraDismissed(appliance_id=APPLIANCE, amphora_id=AMPHORA, reason="test")
    given(connection, *created(), recorded("planner", "appliance", APPLIANCE, 3, dismissed))
    known = queries.amphora(connection, AMPHORA)
    assert known is not None
    assert not known.in_service
    assert seen(connection).amphora_ids == ()


def test_an_amphora_is_the_same_whether_compute_or_planner_is_read_first(connection: sa.Connection) -> None:
    of_compute = [
        recorded("compute", "amphora", AMPHORA, 1, booted(key_version=2)),
        recorded("compute", "amphora", AMPHORA, 2, amphora_deleted()),
    ]
    given(connection, *of_compute, *created())
    one = rows(connection)
    for table in tables.METADATA.sorted_tables:
        connection.execute(sa.delete(table))
    given(connection, *created(), *of_compute)
    assert rows(connection) == one
    known = queries.amphora(connection, AMPHORA)
    assert known is not None
    assert (known.deleted, known.key_version) == (True, 2)


def test_an_amphora_knows_the_listeners_that_it_carries(connection: sa.Connection) -> None:
    given(connection, *created())
    known = queries.amphora(connection, AMPHORA)
    assert known is not None
    assert (set(known.load_balancer_ids), set(known.listeners)) == ({LB}, {LISTENER})


def test_a_second_pool_is_another_node(connection: sa.Connection) -> None:
    other = PoolId(an_id("other-pool"))
    given(
        connection,
        *created(),
        lb_commit(load_balancer.PoolCreated(load_balancer_id=LB, generation=2, pool=pool(id=other))),
    )
    assert {(node.kind, node.id) for node in seen(connection).tree.pools} == {(Kind.POOL, POOL), (Kind.POOL, other)}
