"""Events to rows, and back to what the judge sees."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from actium_health import migrations as health_migrations
from actium_health.liveness import Verdict
from actium_health.migrations import upgrade
from actium_health.operating_status import Kind
from actium_health.read_model import queries, tables
from actium_health.read_model.projections import project
from actium_shared import migrations
from actium_shared.event_store import Recorded
from actium_shared.events import appliance, load_balancer, spares
from actium_shared.events.health import (
    AmphoraHeardAgain,
    AmphoraLossHeldBack,
    AmphoraLost,
    AmphoraRoleChanged,
    LivenessEvent,
    OperatingStatusChanged,
    StatusChange,
)
from actium_shared.ids import ApplianceId, PoolId, PortId, SparesId
from actium_shared.message import Event
from actium_shared.read_model import Database
from actium_shared.statistics import ListenerTotals
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


def test_a_vendors_load_balancer_is_known_until_it_is_deleted_and_one_of_ours_until_that_is_wished(
    connection: sa.Connection,
) -> None:
    def is_known() -> bool:
        return queries.case(connection, LB) is not None

    requested = load_balancer.LoadBalancerDeletionRequested(load_balancer_id=LB, generation=2)
    of_a_vendor = [each for each in created() if each.aggregate == "loadbalancer"]
    given(connection, *of_a_vendor, lb_commit(requested))
    assert is_known()
    given(connection, lb_commit(load_balancer.LoadBalancerDeleted(load_balancer_id=LB)))
    assert not is_known()
    given(connection, *created(), lb_commit(requested))
    assert not is_known()


def life(connection: sa.Connection, amphora_id: str = AMPHORA) -> queries.Life:
    (found,) = queries.lives(connection, amphora_id)
    return found


def test_a_spare_belongs_to_its_pool_until_it_is_handed_out_whichever_stream_is_read_first(
    connection: sa.Connection,
) -> None:
    pool_id, port = SparesId(an_id("pool")), PortId(an_id("port"))
    start = recorded("compute", "amphora", AMPHORA, 1, booted(appliance_id=ApplianceId(pool_id)))
    waits = recorded(
        "planner",
        "spares",
        pool_id,
        1,
        spares.SpareAppointed(spares_id=pool_id, amphora_id=AMPHORA, management_port_id=port, deadline_at=NOW),
    )
    taken = recorded(
        "planner",
        "spares",
        pool_id,
        2,
        spares.SpareHandedOut(
            spares_id=pool_id,
            amphora_id=AMPHORA,
            appliance_id=APPLIANCE,
            search=1,
            host="host-1",
            management_port_id=port,
        ),
    )
    given(connection, waits, start)
    found = life(connection)
    assert (found.expected, found.spare, found.appliance_id, found.host) == (True, True, pool_id, "host-1")
    given(connection, taken)
    at_last = life(connection)
    assert (at_last.expected, at_last.spare, at_last.appliance_id) == (True, False, APPLIANCE)
    given(connection, recorded("compute", "amphora", AMPHORA, 2, booted(appliance_id=ApplianceId(pool_id))))
    assert life(connection) == at_last


def test_who_has_not_booted_was_dismissed_or_deleted_need_not_beat(connection: sa.Connection) -> None:
    given(connection, *created())
    assert not life(connection).expected
    given(connection, recorded("compute", "amphora", AMPHORA, 1, booted()))
    assert life(connection).expected
    gone = appliance.AmphoraDismissed(appliance_id=APPLIANCE, amphora_id=AMPHORA, reason="test")
    given(connection, recorded("planner", "appliance", APPLIANCE, 3, gone))
    assert not life(connection).expected
    given(connection, recorded("compute", "amphora", AMPHORA, 2, amphora_deleted()))
    assert life(connection).deleted
    assert queries.lives(connection) == []


def about_life(kind: type[LivenessEvent], sequence: int, **fields: object) -> Recorded:
    about: dict[str, object] = {"amphora_id": AMPHORA, "appliance_id": APPLIANCE}
    if kind in (AmphoraLost, AmphoraLossHeldBack):
        about |= {"last_heard_at": NOW, "reason": "test", "host": "host-1"}
    return recorded("health", "liveness", AMPHORA, sequence, kind(**(about | fields)))  # type: ignore[arg-type]


def test_what_was_said_of_a_life_is_known_and_where_it_stands(connection: sa.Connection) -> None:
    given(connection, *created(), recorded("compute", "amphora", AMPHORA, 1, booted()))
    assert (life(connection).sequence, life(connection).verdict) == (0, Verdict.NONE)
    given(connection, about_life(AmphoraRoleChanged, 1, role="MASTER", epoch=2), about_life(AmphoraLossHeldBack, 2))
    found = life(connection)
    assert (found.sequence, found.verdict, found.role, found.epoch) == (2, Verdict.HELD_BACK, "MASTER", 2)
    given(connection, about_life(AmphoraLost, 3))
    assert life(connection).verdict is Verdict.LOST
    given(connection, about_life(AmphoraHeardAgain, 4))
    assert (life(connection).sequence, life(connection).verdict, life(connection).role) == (4, Verdict.NONE, "MASTER")


def test_losses_are_counted_also_of_those_that_are_gone(connection: sa.Connection) -> None:
    given(connection, *created(), recorded("compute", "amphora", AMPHORA, 1, booted()))
    given(connection, recorded("compute", "amphora", AMPHORA, 2, amphora_deleted()), about_life(AmphoraLost, 1))
    assert queries.losses_since(connection, NOW.timestamp() - 60) == [(NOW.timestamp(), "host-1")]
    assert queries.losses_since(connection, NOW.timestamp() + 1) == []
    assert rows(connection)["liveness"] == []


def test_an_old_database_is_brought_up_to_date_and_keeps_its_traffic(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/old.sqlite")
    versions = tmp_path / "versions"
    versions.mkdir()
    history = Path(health_migrations.__file__).parent / "versions"
    shutil.copy(history / "0001_first_tables.py", versions)
    migrations.upgrade(database.engine, versions)
    figures = dict.fromkeys(ListenerTotals.__struct_fields__, 7)
    whose = {"amphora_id": "a", "boot_id": "b", "listener_id": "l", "load_balancer_id": "lb", "at": 1.0}
    old = sa.table(
        "amphorae", *(sa.column(name) for name in ("id", "appliance_id", "dismissed", "deleted", "key_version"))
    )
    with database.engine.begin() as opened:
        opened.execute(sa.insert(tables.totals), whose | figures)
        opened.execute(sa.insert(tables.positions), {"stream": "EVENTS_PLANNER", "sequence": 9})
        opened.execute(
            sa.insert(old), {"id": "a", "appliance_id": "x", "dismissed": False, "deleted": False, "key_version": 1}
        )
    upgrade(database.engine)
    with database.engine.begin() as opened:
        found = rows(opened)
    database.close()
    assert [len(found[name]) for name in ("totals", "positions", "amphorae", "liveness")] == [1, 0, 0, 0]
