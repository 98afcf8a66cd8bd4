"""Positions move with the rows or not at all, and a reader can wait for its own write."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from actium_shared.bus import Delivery
from actium_shared.errors import RetryableError
from actium_shared.event_store import EVENT_TYPES, Recorded, commit_envelope
from actium_shared.message import ClockCause, Commit, Position
from actium_shared.read_model import PASSED_MOST, Database, Positions, Projector, positions_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)

metadata = sa.MetaData()
table = positions_table(metadata)
rows = sa.Table("rows", metadata, sa.Column("name", sa.String(10), primary_key=True))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/sub/read.sqlite")
    metadata.create_all(database.engine)
    return database


async def project(database: Database, positions: Positions, name: str, position: Position) -> None:
    def change(connection: sa.Connection) -> None:
        positions.record(connection, position)
        connection.execute(sa.insert(rows).values(name=name))

    await database.write(change)
    await positions.announce([position])


async def test_a_failed_projection_moves_nothing(database: Database) -> None:
    positions = Positions(table)
    await project(database, positions, "a", Position("S", 1))
    with pytest.raises(sa.exc.IntegrityError):
        await project(database, positions, "a", Position("S", 2))
    again = Positions(table)
    await again.load(database)
    assert again.of("S") == positions.of("S") == 1


async def test_a_waiter_is_woken_by_its_position(database: Database) -> None:
    positions = Positions(table)
    waiting = asyncio.create_task(positions.wait_for(Position("S", 2), timeout_s=5))
    await project(database, positions, "a", Position("S", 1))
    assert not waiting.done()
    await project(database, positions, "b", Position("S", 2))
    await waiting


async def test_waiting_has_a_deadline(database: Database) -> None:
    with pytest.raises(RetryableError):
        await Positions(table).wait_for(Position("S", 1), timeout_s=0.01)


def delivery(sequence: int, types: str | None = "thing.happened", *, stream: str = "S") -> Delivery:
    async def tell() -> None: ...

    return Delivery(
        subject="evt.planner.project.p",
        body=b"",
        headers={} if types is None else {EVENT_TYPES: types},
        stream=stream,
        sequence=sequence,
        pending=0,
        delivery_count=1,
        time=NOW,
        acknowledge=tell,
        still_busy=tell,
    )


READS = frozenset({"thing.happened", "thing.ended"})


async def test_what_nobody_reads_passes_and_whoever_waits_for_it_goes_on(database: Database) -> None:
    positions = Positions(table)
    waiting = asyncio.create_task(positions.wait_for(Position("S", 1), timeout_s=5))
    await asyncio.sleep(0)
    assert positions.passes(delivery(1, "other.happened"), READS)
    await waiting
    assert not positions.passes(delivery(2, "other.happened,thing.ended"), READS)
    assert positions.of("S") == 1
    again = Positions(table)
    await again.load(database)
    assert again.of("S") == 0  # it lags, and what it lags by passes again
    assert again.passes(delivery(1, "other.happened"), READS)


async def test_what_the_rows_contain_passes_and_all_that_is_ones_own_does_not(database: Database) -> None:
    positions = Positions(table)
    await project(database, positions, "a", Position("S", 3))
    assert positions.passes(delivery(3), READS)
    assert positions.passes(delivery(3), None)
    assert not positions.passes(delivery(4, "other.happened"), None)
    assert not positions.passes(delivery(4, types=None), READS)  # older than the header


async def test_the_tables_position_lags_by_so_many_at_most() -> None:
    positions = Positions(table)
    handled = [
        number
        for number in range(1, 2 * PASSED_MOST + 1)
        if not positions.passes(delivery(number, "other.happened"), READS)
    ]
    assert handled[0] == PASSED_MOST


async def test_the_next_commit_is_applied_at_once_and_a_later_one_waits_for_its_turn(database: Database) -> None:
    positions, applied = Positions(table), list[int]()
    projector = Projector(database, positions, lambda _connection, item: applied.append(item.position.sequence))
    assert await projector.apply_next(recorded(2)) is None
    assert await projector.apply_next(recorded(1)) == [None]
    await asyncio.gather(
        projector.apply([recorded(2)]), projector.apply_next(recorded(2)), projector.apply([recorded(2)])
    )
    assert applied == [1, 2]
    again = Positions(table)
    await again.load(database)
    assert again.of("EVENTS_NETWORK") == 2


def recorded(sequence: int) -> Recorded:
    commit = Commit(id=str(sequence), events=(), cause=ClockCause(deadline=NOW), decided_at=NOW)
    envelope = commit_envelope(commit, source="test", correlation_id="c")
    return Recorded(
        commit=commit,
        envelope=envelope,
        subject="evt.network.vip.x",
        position=Position("EVENTS_NETWORK", sequence),
        stored_at=NOW,
    )
