"""Compute's tables: which orders are kept, what events make of them, and that they come back equal."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from actium_compute import migrations
from actium_compute.facts import Facts, Stage, Stored
from actium_compute.read_model import queries
from actium_compute.read_model.projections import project
from actium_compute.read_model.tables import AMPHORAE, METADATA
from actium_shared import migrations as shared_migrations
from actium_shared.codec import CODEC
from actium_shared.commands.compute import AmphoraOrder, DeleteAmphora, FenceAmphora, Peer
from actium_shared.envelope import COMMIT_TYPE, Envelope
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraCertificateRenewed,
    AmphoraConfigurationRefused,
    AmphoraConfigured,
    AmphoraDeleted,
    AmphoraFenced,
    AmphoraStrayRemoved,
)
from actium_shared.events.network import PortCreated, PortDeleted
from actium_shared.ids import AmphoraId, ApplianceId, PortId
from actium_shared.message import Commit, Event, Position, WorkCause
from builders import PUBLIC
from unit.compute.wishes import AMPHORA, APPLIANCE, PORTS, VIP_PORT, boot_order, order, port

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHO: dict[str, Any] = {"amphora_id": AMPHORA, "appliance_id": APPLIANCE}
BOOTED = AmphoraBooted(
    **WHO,
    compute_id="c",
    host="host-1",
    image_tag="default",
    management_address="10.250.1.1",
    heartbeat_key_version=1,
    certificate_expires_at=NOW,
)
CONFIGURED = AmphoraConfigured(**WHO, bundle=3, digest="d", result="reload", took_ms=1.0)
FENCE = FenceAmphora(**WHO)
DELETE = DeleteAmphora(**WHO)
POOL = ApplianceId("pool")
VERSIONS = Path(migrations.__file__).parent / "versions"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'compute.sqlite'}")
    migrations.upgrade(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def put(connection: sa.Connection, what: AmphoraOrder, *, at: datetime = NOW) -> bool:
    return queries.put_order(connection, Stored(order=what, correlation_id="c", traceparent=None, received_at=at))


def happened(connection: sa.Connection, *events: Event, sequence: int = 1) -> frozenset[str]:
    commit = Commit(id="i", events=events, cause=WorkCause(order_id="o"), decided_at=NOW)
    envelope = Envelope(id="i", type=COMMIT_TYPE, version=1, source="s", time=NOW, correlation_id="c")
    position = Position("EVENTS_COMPUTE", sequence)
    item = Recorded(commit=commit, envelope=envelope, subject="s", position=position, stored_at=NOW)
    return project(connection, item)


def facts(connection: sa.Connection) -> Facts:
    found = queries.facts(connection, AMPHORA)
    assert found is not None
    return found


def test_an_order_is_kept_once_and_read_back_as_it_came(connection: sa.Connection) -> None:
    assert put(connection, boot_order())
    assert not put(connection, boot_order(deadline_s=99.0))
    assert facts(connection).boot == Stored(order=boot_order(), correlation_id="c", traceparent=None, received_at=NOW)


def test_only_a_newer_configuration_replaces_the_one_before(connection: sa.Connection) -> None:
    assert put(connection, order(bundle=2))
    assert not put(connection, order(bundle=1))
    assert not put(connection, order(bundle=2))
    assert put(connection, order(bundle=3))
    assert put(connection, order(bundle=1, epoch=2))
    kept = facts(connection).configure
    assert kept is not None
    assert (kept.order.epoch, kept.order.bundle) == (2, 1)


def test_after_deletion_was_ordered_nothing_else_is_taken(connection: sa.Connection) -> None:
    assert put(connection, DELETE)
    assert not put(connection, boot_order())
    assert not put(connection, order())
    assert not put(connection, DELETE)


def test_after_a_fence_was_ordered_only_deletion_is_taken(connection: sa.Connection) -> None:
    put(connection, boot_order())
    assert put(connection, FENCE)
    assert queries.unfenced(connection) == {AMPHORA}
    assert not put(connection, FENCE)
    assert not put(connection, order())
    happened(connection, AmphoraFenced(**WHO))
    assert (facts(connection).stage, queries.unfenced(connection)) == (Stage.FENCED, frozenset())
    assert not put(connection, order())
    assert queries.booted(connection) == frozenset()
    assert put(connection, DELETE)


def test_a_fence_of_what_nobody_knows_is_remembered(connection: sa.Connection) -> None:
    assert put(connection, FENCE)
    assert queries.unfenced(connection) == {AMPHORA}
    happened(connection, AmphoraFenced(**WHO))
    assert not put(connection, boot_order())
    assert queries.unfinished(connection) == [AMPHORA]  # until it is deleted


def test_the_newest_order_says_whose_an_amphora_is(connection: sa.Connection) -> None:
    put(connection, boot_order(appliance_id=POOL, vip_port_id=None))
    assert facts(connection).appliance_id == POOL
    happened(connection, msgspec.structs.replace(BOOTED, appliance_id=POOL))
    put(connection, order(), at=NOW + timedelta(seconds=1))
    assert facts(connection).appliance_id == APPLIANCE
    happened(connection, CONFIGURED, sequence=2)
    assert queries.serving(connection, APPLIANCE) == {AMPHORA}
    rows = connection.execute(sa.select(AMPHORAE.c.appliance_id, AMPHORAE.c.host)).all()
    assert [tuple(row) for row in rows] == [(APPLIANCE, "host-1")]


def test_hosts_of_those_that_serve_an_appliance_are_known(connection: sa.Connection) -> None:
    put(connection, order())
    assert queries.hosts_of(connection, [AMPHORA]) == frozenset()
    happened(connection, BOOTED)
    assert queries.hosts_of(connection, queries.serving(connection, APPLIANCE)) == {"host-1"}


def test_ports_of_peers_are_known_and_wake_whoever_waits_for_them(connection: sa.Connection) -> None:
    partner = port(PortId("the partner's"), PUBLIC, "203.0.113.102")
    put(connection, order(peers=(Peer(amphora_id=AmphoraId("other"), vip_port_id=partner.id),)))
    touched = happened(connection, PortCreated(amphora_id=AmphoraId("other"), appliance_id=APPLIANCE, port=partner))
    assert touched == {"other", AMPHORA}
    assert facts(connection).ports == {partner.id: partner}


def test_a_renewal_may_bring_a_new_key_or_leave_the_old_one(connection: sa.Connection) -> None:
    happened(connection, BOOTED)
    for version, counts in ((0, 1), (2, 2), (0, 2)):
        happened(
            connection, AmphoraCertificateRenewed(**WHO, certificate_expires_at=NOW, heartbeat_key_version=version)
        )
        assert facts(connection).heartbeat_key_version == counts


def test_a_stray_that_was_removed_is_no_longer_wanted(connection: sa.Connection) -> None:
    happened(connection, AmphoraStrayRemoved(amphora_id=AMPHORA, found="a machine"), sequence=5)
    assert (facts(connection).stage, queries.sequence_of(connection, AMPHORA)) == (Stage.DELETED, 5)
    assert queries.unfinished(connection) == []


def test_a_deleted_amphora_leaves_only_the_knowledge_that_it_is(connection: sa.Connection) -> None:
    put(connection, boot_order())
    queries.add_attachments(connection, AMPHORA, [VIP_PORT])
    happened(connection, AmphoraDeleted(**WHO))
    assert facts(connection) == Facts(**WHO, stage=Stage.DELETED, sequence=1, ports={})
    assert not put(connection, order(bundle=9))


def test_the_log_alone_tells_stage_bundle_and_digest(connection: sa.Connection) -> None:
    happened(connection, BOOTED, CONFIGURED, sequence=4)
    happened(connection, AmphoraConfigurationRefused(**WHO, bundle=4, reason="r"), sequence=7)
    known = facts(connection)
    assert (known.stage, known.sequence, known.digest) == (Stage.BOOTED, 7, "d")
    assert (known.configured_bundle, known.refused_bundle, known.settled_bundle) == (3, 4, 4)
    assert (known.management_address, known.certificate_expires_at) == ("10.250.1.1", NOW)


def test_ports_come_and_go(connection: sa.Connection) -> None:
    put(connection, boot_order())
    port = PORTS[VIP_PORT]
    for _ in range(2):
        happened(connection, PortCreated(**WHO, port=port))
    assert facts(connection).ports == {VIP_PORT: port}
    happened(connection, PortDeleted(**WHO, port_id=VIP_PORT))
    assert facts(connection).ports == {}


def test_attachments_are_recorded_again_without_harm(connection: sa.Connection) -> None:
    put(connection, boot_order())
    for _ in range(2):
        queries.add_attachments(connection, AMPHORA, [VIP_PORT])
    assert facts(connection).attached == {VIP_PORT}
    queries.remove_attachments(connection, AMPHORA, [VIP_PORT])
    assert facts(connection).attached == frozenset()


def test_what_is_unfinished_is_found_at_start(connection: sa.Connection) -> None:
    put(connection, boot_order())
    assert queries.unfinished(connection) == [AMPHORA]
    assert queries.booted(connection) == frozenset()
    happened(connection, BOOTED)
    assert queries.booted(connection) == {AMPHORA}
    assert queries.count_by_stage(connection) == {"booted": 1}
    happened(connection, AmphoraDeleted(**WHO), sequence=2)
    assert queries.unfinished(connection) == []


def test_a_database_of_the_first_version_is_brought_forward_with_its_rows(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}")
    first = tmp_path / "versions"
    first.mkdir()
    shutil.copy(VERSIONS / "0001_first_tables.py", first)
    shared_migrations.upgrade(engine, first)
    body = CODEC.encode(boot_order())
    with engine.begin() as connection:
        for statement in (
            f"INSERT INTO amphorae VALUES ('{AMPHORA}', '{APPLIANCE}', 'booted', 7, 'i', '10.0.0.1', 99, 3, 2, 'd')",
            f"INSERT INTO orders VALUES ('{AMPHORA}', 'boot', 1, 1, 'amphora.boot', 1, x'{body.hex()}', 'c', NULL, 5.0)",
            f"INSERT INTO orders VALUES ('new', 'boot', 1, 1, 'amphora.boot', 1, x'{body.hex()}', 'c', NULL, 5.0)",
        ):
            connection.exec_driver_sql(statement)
    migrations.upgrade(engine)
    with engine.begin() as connection:
        known = facts(connection)
        assert (known.stage, known.sequence, known.configured_bundle, known.digest) == (Stage.BOOTED, 7, 3, "d")
        assert known.boot is not None
        assert known.boot.order == boot_order()
        assert known.heartbeat_key_version == 1
        assert queries.serving(connection, APPLIANCE) == {AMPHORA}
        assert queries.unfinished(connection) == sorted([AMPHORA, "new"])
    engine.dispose()


def test_migrations_lead_to_the_tables_that_the_code_knows(connection: sa.Connection) -> None:
    inspector = sa.inspect(connection)
    assert set(inspector.get_table_names()) == {*METADATA.tables, "alembic_version"}
    for table in METADATA.sorted_tables:
        columns = {
            column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table.name)
        }
        dialect = connection.dialect
        assert columns == {
            column.name: (str(column.type.compile(dialect)), column.nullable) for column in table.columns
        }
    assert inspector.get_pk_constraint(AMPHORAE.name)["constrained_columns"] == ["amphora_id"]
