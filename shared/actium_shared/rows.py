"""
Single rows of a service's tables, found by the values of some columns.

The statements have bound parameters and are made once: to put one together costs several times what SQLite takes to run it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Values = Mapping[str, Any]

_OF = "of_"
"""Before the name of a column that a row is found by, as its value may be set in the same statement."""


def find(
    connection: sa.Connection, table: sa.Table, /, *wanted: sa.Column[Any], **of: object
) -> sa.CursorResult[*tuple[Any, ...]]:
    """Give the rows that have these values: the wanted columns, or all."""
    return connection.execute(_select(table, wanted, tuple(of)), _named(of))


def insert(connection: sa.Connection, table: sa.Table, values: Values | Sequence[Values]) -> None:
    """Add a row, or many of the same columns."""
    if values:
        connection.execute(_insert(table), values)


def update(connection: sa.Connection, table: sa.Table, values: Values, /, **of: object) -> int:
    """Change the rows that have these values, and tell how many there are."""
    return connection.execute(_update(table, tuple(of)), {**_named(of), **values}).rowcount


def put(connection: sa.Connection, table: sa.Table, values: Values, /, **of: object) -> None:
    """Have one row with these values for that key, whether it was there before or not."""
    if of.keys() == set(table.primary_key.columns.keys()):
        connection.execute(_upsert(table, tuple(of), tuple(values), connection.dialect.name), {**of, **values})
        return
    is_there = update(connection, table, values, **of) if values else find(connection, table, **of).first() is not None
    if not is_there:
        insert(connection, table, {**of, **values})


def delete(connection: sa.Connection, table: sa.Table, /, **of: object) -> None:
    """Remove the rows that have these values."""
    connection.execute(_delete(table, tuple(of)), _named(of))


def _named(of: Values) -> dict[str, object]:
    return {f"{_OF}{name}": value for name, value in of.items()}


def _conditions(table: sa.Table, names: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == sa.bindparam(f"{_OF}{name}", type_=table.c[name].type) for name in names]


@cache
def _select(table: sa.Table, wanted: tuple[sa.Column[Any], ...], names: tuple[str, ...]) -> sa.Select[Any]:
    return sa.select(*(wanted or (table,))).where(*_conditions(table, names))


@cache
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


@cache
def _upsert(table: sa.Table, key: tuple[str, ...], names: tuple[str, ...], dialect: str) -> sa.Insert:
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    if not names:
        return insert.on_conflict_do_nothing(index_elements=key)
    return insert.on_conflict_do_update(index_elements=key, set_={name: insert.excluded[name] for name in names})


@cache
def _update(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    return sa.update(table).where(*_conditions(table, names))


@cache
def _delete(table: sa.Table, names: tuple[str, ...]) -> sa.Delete:
    return sa.delete(table).where(*_conditions(table, names))
