"""Positions move with the rows or not at all, and a reader can wait for its own write."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from actium_shared.errors import RetryableError
from actium_shared.message import Position
from actium_shared.read_model import Database, Positions, positions_table

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
