"""
Statements with bound parameters, each made once: to put one together costs several times what SQLite takes to run it.

Rows are found by parameter `key`, or `keys` where there are many; which columns an insert or an update sets is said by
its other parameters. What is asked rarely or in ever new forms (pages) is not here.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

CHUNK = 500
"""Keys per statement: below every database's limit of parameters."""

FEW = 4
"""So many keys are looked for one by one: a statement with a list is put together anew each time, which takes longer."""


def named(ids: Iterable[str]) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Give whether there are many, and the parameters that name these rows, in order, a statement's worth at a time."""
    ordered = sorted(ids)
    if len(ordered) <= FEW:
        yield from ((False, {"key": each}) for each in ordered)
        return
    for start in range(0, len(ordered), CHUNK):
        some = ordered[start : start + CHUNK]
        yield True, {"keys": some}


def among(column: sa.Column[Any], many: bool) -> sa.ColumnElement[bool]:
    return column.in_(sa.bindparam("keys", expanding=True)) if many else column == sa.bindparam("key")


@cache
def select(by: sa.Column[Any], many: bool, *wanted: sa.Column[Any]) -> sa.Select[Any]:
    """Give these columns, or all, of the rows found by a column."""
    return sa.select(*(wanted or (by.table,))).where(among(by, many))


@cache
def select_in_order(by: sa.Column[Any], many: bool, *wanted: sa.Column[Any]) -> sa.Select[Any]:
    """Like `select`, the oldest first."""
    return select(by, many, *wanted).order_by(by.table.c.created_at, by.table.c.id)


@cache
def insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


@cache
def update(by: sa.Column[Any]) -> sa.Update:
    """Change the rows found by one `key`."""
    return sa.update(_table(by)).where(by == sa.bindparam("key"))


@cache
def update_by(*columns: sa.Column[Any]) -> sa.Update:
    """Change the rows found by several columns, whose parameters are `key_<column>`."""
    return sa.update(_table(columns[0])).where(*(column == sa.bindparam(f"key_{column.name}") for column in columns))


@cache
def delete_by(*columns: sa.Column[Any]) -> sa.Delete:
    """Delete the rows found by several columns, whose parameters are `key_<column>`."""
    return sa.delete(_table(columns[0])).where(*(column == sa.bindparam(f"key_{column.name}") for column in columns))


@cache
def delete(by: sa.Column[Any], many: bool) -> sa.Delete:
    return sa.delete(_table(by)).where(among(by, many))


def _table(column: sa.Column[Any]) -> sa.Table:
    table = column.table
    assert isinstance(table, sa.Table)
    return table


@cache
def bump(table: sa.Table, many: bool, *, unless: tuple[str, ...], status: str) -> sa.Update:
    """Make rows that are behind `reached` pending for it, since `at`; statuses in `unless` stay as they are."""
    before, reached = table.c.provisioning_status, sa.bindparam("reached", type_=table.c.generation.type)
    kept = [(before == each, before) for each in unless]
    values = {"provisioning_status": sa.case(*kept, else_=status), "generation": reached}
    changed = sa.update(table).where(among(table.c.id, many), table.c.generation < reached)
    return changed.values(**values, changed_at=sa.bindparam("at"))


@cache
def set_status(table: sa.Table, *, unless: tuple[str, ...]) -> sa.Update:
    """Set the status of one row, unless it has one of these or that very one."""
    before = table.c.provisioning_status
    status: sa.BindParameter[str] = sa.bindparam("status")
    conditions = [table.c.id == sa.bindparam("key"), before != status, *(before != each for each in unless)]
    return sa.update(table).where(*conditions).values(provisioning_status=status, changed_at=sa.bindparam("at"))


def _of_round(table: sa.Table, ended: str) -> list[sa.ColumnElement[bool]]:
    return [
        table.c.load_balancer_id == sa.bindparam("key"),
        table.c.generation <= sa.bindparam("reached"),
        table.c.provisioning_status != ended,
    ]


@cache
def select_pending(tables: Sequence[sa.Table], *, ended: str) -> sa.CompoundSelect[Any]:
    """Give table name, id and status of what a load balancer's round up to `reached` ends: all that is not `ended` yet."""
    return sa.union_all(
        *(
            sa.select(
                sa.literal_column(f"'{table.name}'").label("name"), table.c.id, table.c.provisioning_status
            ).where(*_of_round(table, ended))
            for table in tables
        )
    )


@cache
def end_pending(table: sa.Table, *, ended: str) -> sa.Update:
    """Set the status of what `select_pending` gives of a table."""
    status: sa.BindParameter[str] = sa.bindparam("status")
    changed = sa.update(table).where(*_of_round(table, ended), table.c.provisioning_status != status)
    return changed.values(provisioning_status=status, changed_at=sa.bindparam("at"))


@cache
def set_operating_status(table: sa.Table, *, only_known: bool) -> sa.Update:
    """Set the operating status of one row of `load_balancer_id`; with `only_known` if none newer than that stands there."""
    conditions = [table.c.id == sa.bindparam("key"), table.c.load_balancer_id == sa.bindparam("owner")]
    if only_known:
        conditions.append(table.c.operating_since <= sa.bindparam("known"))
    return sa.update(table).where(*conditions)
