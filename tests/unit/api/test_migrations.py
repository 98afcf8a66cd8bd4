"""The migrations lead to the tables that the code uses; what older ones hold is dropped, to be read from the log again."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from actium_api import migrations
from actium_api.read_model import catalogue_tables
from actium_api.read_model.tables import METADATA, POSITIONS
from actium_shared import migrations as shared
from actium_shared.read_model import Database, Positions

VERSIONS = Path(migrations.__file__).parent / "versions"

FILL = (
    "INSERT INTO positions VALUES ('EVENTS_PLANNER', 42)",
    "INSERT INTO appliances VALUES ('a1', 'p1', 'SINGLE')",
    "INSERT INTO tags VALUES ('l1', 'blue', 'l1')",
    "INSERT INTO ports VALUES ('q1', 'm1', 'a1', 'n1', 's1', '10.0.0.1', 24, '02:00:00:00:00:01', 1500, NULL)",
)
ADDED_IN_PLACE = "CREATE TABLE secrets (ref VARCHAR(255) PRIMARY KEY, digest VARCHAR(64))"
"""For a while 0001 made more tables than it does."""


def is_as_the_code_says(database: Database) -> bool:
    assert catalogue_tables.QUOTAS.metadata is METADATA
    with database.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_migrated_database_has_exactly_the_tables_of_the_code() -> None:
    database = Database("sqlite://")
    migrations.upgrade(database.engine)
    migrations.upgrade(database.engine)
    assert is_as_the_code_says(database)


@pytest.mark.parametrize("more", [(), (ADDED_IN_PLACE,)], ids=["as it landed", "as it was for a while"])
async def test_a_database_of_the_first_tables_is_emptied_and_read_from_the_beginning(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    first = tmp_path / "versions"
    first.mkdir()
    shutil.copy(VERSIONS / "0001_first_tables.py", first)
    database = Database(f"sqlite:///{tmp_path}/api.sqlite")
    shared.upgrade(database.engine, first)
    with database.engine.begin() as connection:
        for statement in (*FILL, *more):
            connection.exec_driver_sql(statement)
    migrations.upgrade(database.engine)
    assert is_as_the_code_says(database)
    positions = Positions(POSITIONS)
    await positions.load(database)
    assert positions.of("EVENTS_PLANNER") == 0
    with database.engine.connect() as connection:
        rows = [connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in METADATA.sorted_tables]
    assert not any(rows)
