"""Applies the history of a service's schema at start. The history itself is the service's: `migrations/versions`."""

import logging
from pathlib import Path

import sqlalchemy as sa


def upgrade(engine: sa.Engine, versions: Path) -> None:
    """
    Bring the database to the newest schema, all of it or nothing.

    `versions` holds one file per revision, `<revision>_<words>.py`, named so that the newest sorts last.
    """
    newest = max(path.name.partition("_")[0] for path in versions.glob("[0-9]*_*.py"))
    if _revision(engine) != newest:
        _run(engine, versions)


def _revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return str(found) if found else None


def _run(engine: sa.Engine, versions: Path) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its own parts otherwise
    from alembic import command  # costs 0.2 s, which most starts can do without
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _escaped(Path(__file__).parent))
    config.set_main_option("version_locations", _escaped(versions))
    config.set_main_option("path_separator", "newline")
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # Its Python driver begins no transaction for changes of the schema: killed half-way, half would stay.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
