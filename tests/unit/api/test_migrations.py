"""The migrations lead to the tables that the code uses, and a second start changes nothing."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from actium_api import migrations
from actium_api.read_model.tables import METADATA
from actium_shared.read_model import Database


def test_a_migrated_database_has_exactly_the_tables_of_the_code() -> None:
    database = Database("sqlite://")
    migrations.upgrade(database.engine)
    migrations.upgrade(database.engine)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
