"""
A connection to SQLite that runs statements it has met before without putting them together again.

SQLAlchemy takes four times as long around a statement as SQLite takes to run it. So a statement that lives on (made once,
with bound parameters) is compiled once, by SQLAlchemy, and from then on given to the driver. All others go the usual way.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from weakref import ref

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

Convert = Callable[[Any], Any] | None

PLANNED = (sa.Select, sa.CompoundSelect, sa.Insert, sa.Update, sa.Delete)

LEFT_TO_SQLALCHEMY = ("post_compile_params", "literal_execute_params", "prefetch", "postfetch", "effective_returning")
"""What a compiled statement may ask for beyond being run: lists in parameters, defaults, values of new rows."""


class Columns(SimpleResultMetaData):
    """Which columns rows have; what a choice of them is called is found out once."""

    def __init__(self, keys: Sequence[str], **more: Any) -> None:
        super().__init__(keys, **more)
        self._chosen: dict[tuple[Any, ...], Any] = {}

    def _reduce(self, keys: Sequence[Any]) -> Any:
        chosen = self._chosen.get(tuple(keys))
        if chosen is None:
            chosen = self._chosen[tuple(keys)] = super()._reduce(keys)
        return chosen


class Rows(IteratorResult[Any]):
    """What came of a statement, as SQLAlchemy gives it. `rowcount`: how many rows it changed."""

    def __init__(self, metadata: Columns, rows: Iterable[Any], rowcount: int) -> None:
        super().__init__(metadata, iter(rows))
        self.rowcount = rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled statement: its text, which parameters it wants in which order, and what becomes of values on the way."""

    text: str
    wanted: tuple[tuple[str, Convert], ...]
    fixed: Mapping[str, Any]
    metadata: Columns
    results: tuple[Convert, ...] | None
    """None where rows are given as they come."""

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        values = {**self.fixed, **parameters} if self.fixed else parameters
        return [values[name] if convert is None else convert(values[name]) for name, convert in self.wanted]

    def rows(self, found: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
        if self.results is None:
            return found
        results = self.results
        return [
            tuple(value if convert is None else convert(value) for value, convert in zip(row, results, strict=True))
            for row in found
        ]


class DirectConnection(sa.Connection):
    """
    As `sqlalchemy.Connection`; where it goes its own way it gives `Rows`.

    A piece of work on it ends with `keep_changes` or `forget_changes`, or is inside of `begin`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        # By the statement's id, which is quicker than by itself; what is no more takes its entry along.
        self._plans: dict[int, tuple[ref[Any], dict[tuple[str, ...], Plan | None]]] = {}
        self._driver = cast("sqlite3.Connection", self.connection.driver_connection)

    def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        many = isinstance(parameters, Sequence)
        first: Mapping[str, Any] = (parameters[0] if many else parameters) or {} if parameters else {}
        plan = None if execution_options else self._plan(statement, first)
        if plan is None:
            return super().execute(statement, parameters, execution_options=execution_options)
        try:
            if many:
                cursor = self._driver.executemany(plan.text, map(plan.arguments, parameters))
            else:
                cursor = self._driver.execute(plan.text, plan.arguments(first))
            return Rows(plan.metadata, plan.rows(cursor.fetchall()), cursor.rowcount)
        except sqlite3.Error as exc:
            raise sa.exc.DBAPIError.instance(plan.text, first, exc, sqlite3.Error, dialect=self.dialect) from exc

    def scalar(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        return self.execute(statement, parameters, execution_options=execution_options).scalar()

    def scalars(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        return self.execute(statement, parameters, execution_options=execution_options).scalars()

    # A transaction of SQLAlchemy's own costs as much as a statement or two, and the driver begins one by itself.

    def keep_changes(self) -> None:
        """Commit what was done since the last transaction ended, whichever way it went."""
        try:
            self._driver.commit()
        except sqlite3.Error as exc:
            raise sa.exc.DBAPIError.instance(None, None, exc, sqlite3.Error, dialect=self.dialect) from exc
        if self.in_transaction():
            self.commit()

    def forget_changes(self) -> None:
        """Take back what was done since the last transaction ended, whichever way it went."""
        if self._driver.in_transaction:
            self._driver.rollback()
        if self.in_transaction():
            self.rollback()

    def _plan(self, statement: Any, parameters: Mapping[str, Any]) -> Plan | None:
        """Give the plan of a statement that is met for the second time, if there can be one."""
        met = self._plans.get(id(statement))
        if met is None:
            if isinstance(statement, PLANNED):
                key, known = id(statement), self._plans
                known[key] = ref(statement, lambda _gone: known.pop(key, None)), {}
            return None
        plans, names = met[1], tuple(parameters)
        if names not in plans:
            plans[names] = _made(statement, names, self.dialect)
        return plans[names]


def _made(statement: Any, names: Sequence[str], dialect: sa.Dialect) -> Plan | None:
    """Give the plan, None where only SQLAlchemy knows how to run the statement with such parameters."""
    compiled = cast("Any", statement.compile(dialect=dialect, column_keys=list(names)))
    if any(getattr(compiled, feature, None) for feature in LEFT_TO_SQLALCHEMY):
        return None
    order: list[str] = compiled.positiontup
    if any(compiled.binds[name].required and name not in names for name in order):
        return None
    fixed = {name: compiled.params[name] for name in order if name not in names}
    if any(callable(compiled.binds[name].callable) for name in fixed):
        return None
    columns = list(statement.selected_columns) if isinstance(statement, sa.SelectBase) else []
    results = tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns)
    return Plan(
        text=str(compiled),
        wanted=tuple((name, _binding(compiled.binds[name].type, dialect)) for name in order),
        fixed=fixed,
        metadata=Columns([str(column.key) for column in columns], extra=[(column,) for column in columns]),
        results=results if any(results) else None,
    )


def _binding(of: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Convert:
    return of.dialect_impl(dialect).bind_processor(dialect)
