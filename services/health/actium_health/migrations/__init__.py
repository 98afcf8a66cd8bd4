"""The schema's history."""

from pathlib import Path

import sqlalchemy as sa

from actium_shared import migrations


def upgrade(engine: sa.Engine) -> None:
    """Bring the database to the newest schema, all of it or nothing."""
    migrations.upgrade(engine, Path(__file__).parent / "versions")
