"""Compute's tables: which orders are kept, what events make of them, and that they come back equal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from actium_compute import migrations
from actium_compute.facts import Facts, Stage, Stored
from actium_compute.read_model import queries
from actium_compute.read_model.projections import project
from actium_compute.read_model.tables import AMPHORAE, METADATA
from actium_shared.commands.compute import AmphoraOrder, DeleteAmphora
from actium_shared.envelope import COMMIT_TYPE, Envelope
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraConfigurationRefused,
    AmphoraConfigured,
    AmphoraDeleted,
)
from actium_shared.events.network import PortCreated, PortDeleted
from actium_shared.message import Commit, Event, Position, WorkCause
from unit.compute.wishes import AMPHORA, APPLIANCE, PORTS, VIP_PORT, boot_order, order

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
DELETE = DeleteAmphora(**WHO)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'compute.sqlite'}")
    migrations.upgrade(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def put(connection: sa.Connection, what: AmphoraOrder) -> bool:
    return queries.put_order(connection, Stored(order=what, correlation_id="c", traceparent=None, received_at=NOW))


def happened(connection: sa.Connection, *events: Event, sequence: int = 1) -> None:
    commit = Commit(id="i", events=events, cause=WorkCause(order_id="o"), decided_at=NOW)
    envelope = Envelope(id="i", type=COMMIT_TYPE, version=1, source="s", time=NOW, correlation_id="c")
    position = Position("EVENTS_COMPUTE", sequence)
    project(connection, Recorded(commit=commit, envelope=envelope, subject="s", position=position, stored_at=NOW))


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
