"""A schema's history is applied whole or not at all, and a start that has nothing to do does not pay for alembic."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from actium_shared import migrations
from actium_shared.read_model import Database

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table("second", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("{then}")
"""


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    folder = tmp_path / "50% of all versions: new"
    folder.mkdir()
    (folder / "0001_first.py").write_text(FIRST)
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'x.sqlite'}")


def tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names()) - {"alembic_version"}


def test_what_is_new_is_added_to_what_is_there(versions: Path, database: Database) -> None:
    migrations.upgrade(database.engine, versions)
    assert tables(database) == {"first"}
    (versions / "0002_second.py").write_text(SECOND.format(then="SELECT 1"))
    migrations.upgrade(database.engine, versions)
    assert tables(database) == {"first", "second"}


def test_a_migration_that_breaks_off_leaves_the_schema_as_it_was(versions: Path, database: Database) -> None:
    migrations.upgrade(database.engine, versions)
    (versions / "0002_second.py").write_text(SECOND.format(then="no SQL"))
    for _ in range(2):
        with pytest.raises(sa.exc.OperationalError):
            migrations.upgrade(database.engine, versions)
        assert tables(database) == {"first"}
    (versions / "0002_second.py").write_text(SECOND.format(then="SELECT 1"))
    migrations.upgrade(database.engine, versions)
    assert tables(database) == {"first", "second"}


def test_a_start_with_nothing_to_do_does_not_load_alembic(versions: Path, tmp_path: Path, database: Database) -> None:
    migrations.upgrade(database.engine, versions)
    script = (
        "import sys; from pathlib import Path; import sqlalchemy as sa; from actium_shared import migrations;"
        f"migrations.upgrade(sa.create_engine('sqlite:///{tmp_path / 'x.sqlite'}'), Path({str(versions)!r}));"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
