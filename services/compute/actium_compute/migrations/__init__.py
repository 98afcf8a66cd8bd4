"""The schema's history, applied at start. Alembic is loaded only where there is something to do: it costs 0.2 s."""

from pathlib import Path

import sqlalchemy as sa

HEAD = "0001"
"""The newest revision; a test compares it with `versions`."""


def upgrade(engine: sa.Engine) -> None:
    """Bring the database to the newest schema, all of it or nothing."""
    if _revision(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return str(found) if found else None
