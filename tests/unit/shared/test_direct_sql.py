"""Statements that take the short way give what SQLAlchemy gives."""

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from actium_shared.direct_sql import DirectConnection, Rows

METADATA = sa.MetaData()
THINGS = sa.Table(
    "things",
    METADATA,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("wanted", sa.Boolean),
    sa.Column("body", sa.LargeBinary),
    sa.Column("made_at", sa.DateTime),
    sa.Column("words", sa.JSON),
    sa.Column("select", sa.Integer, default=7),
)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
ONE = {"id": "one", "wanted": True, "body": b"\0\1", "made_at": AT, "words": {"a": [1]}, "select": 1}
TWO = {"id": "two", "wanted": False, "body": None, "made_at": None, "words": None, "select": 2}


class Name(StrEnum):
    ONE = "one"


@pytest.fixture
def engine() -> sa.Engine:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine)
    return engine


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[DirectConnection]:
    connection = DirectConnection(engine)
    yield connection
    connection.close()


def given(connection: sa.Connection) -> None:
    with connection.begin():
        connection.execute(sa.delete(THINGS))
        connection.execute(sa.insert(THINGS), [ONE, TWO])


def thrice(connection: sa.Connection, statement: sa.Executable, *parameters: Any) -> list[Any]:
    """Run it as what is new, as what is met again, and from its plan."""
    return [connection.execute(statement, *parameters) for _ in range(3)]


ID: sa.BindParameter[str] = sa.bindparam("key")
SELECTS: dict[str, tuple[Callable[[], sa.Executable], Any]] = {
    "all": (lambda: sa.select(THINGS).order_by(THINGS.c.id), None),
    "one": (lambda: sa.select(THINGS).where(THINGS.c.id == ID), {"key": "one"}),
    "by an enum": (lambda: sa.select(THINGS.c.words).where(THINGS.c.id == ID), {"key": Name.ONE}),
    "none": (lambda: sa.select(THINGS.c.id).where(THINGS.c.id == ID), {"key": None}),
    "fixed": (
        lambda: sa.select(THINGS.c.id, sa.literal(5).label("five")).where(THINGS.c.wanted.is_(True)).limit(1),
        None,
    ),
    "list": (
        lambda: sa.select(THINGS.c.id).where(THINGS.c.id.in_(sa.bindparam("keys", expanding=True))),
        {"keys": ["one"]},
    ),
    "one text": (lambda: sa.select(sa.func.aggregate_strings(THINGS.c.id, " ").label("all")).select_from(THINGS), None),
    "of two": (
        lambda: sa.union_all(
            sa.select(sa.literal_column("'a'").label("name"), THINGS.c.words).where(THINGS.c.id == ID),
            sa.select(sa.literal_column("'b'").label("name"), THINGS.c.words).where(THINGS.c.wanted.is_(True)),
        ),
        {"key": "one"},
    ),
    "count": (lambda: sa.select(sa.func.count().label("many")).select_from(THINGS), None),
}


@pytest.mark.parametrize("name", SELECTS)
def test_it_finds_what_sqlalchemy_finds(engine: sa.Engine, connection: DirectConnection, name: str) -> None:
    make, parameters = SELECTS[name]
    given(connection)
    with engine.connect() as usual:
        expected = [dict(row) for row in usual.execute(make(), parameters).mappings()]
    for result in thrice(connection, make(), parameters):
        assert [dict(row) for row in result.mappings()] == expected


def test_it_takes_the_short_way_from_the_second_time_on(connection: DirectConnection) -> None:
    given(connection)
    first, *others = thrice(connection, sa.select(THINGS))
    assert not isinstance(first, Rows)
    assert all(isinstance(other, Rows) for other in others)


def test_a_statement_that_is_no_more_leaves_nothing(connection: DirectConnection) -> None:
    given(connection)
    left = []
    for count in (1, 50):  # SQLAlchemy keeps one of each kind
        found = [len(thrice(connection, sa.select(THINGS).limit(number))[2].all()) for number in range(count)]
        assert found == [0, 1, *[2] * 48][:count]
        gc.collect()
        left.append(len(connection._plans))
    assert left[0] == left[1]


def test_chosen_columns_are_the_same_each_time(connection: DirectConnection) -> None:
    given(connection)
    for result in thrice(connection, sa.select(THINGS.c.id, THINGS.c.select).order_by(THINGS.c.id)):
        assert result.scalars(1).all() == [1, 2]
    for result in thrice(connection, sa.select(THINGS.c.id, THINGS.c.select).order_by(THINGS.c.id)):
        assert result.columns("select", "id").all() == [(1, "one"), (2, "two")]


def test_columns_are_found_by_name_and_by_themselves(connection: DirectConnection) -> None:
    given(connection)
    row = thrice(connection, sa.select(THINGS.c.id, THINGS.c.select).where(THINGS.c.id == ID), {"key": "two"})[2].one()
    assert (row.id, row._mapping[THINGS.c.select]) == ("two", 2)


def test_it_writes_what_sqlalchemy_writes_and_counts_rows(connection: DirectConnection) -> None:
    insert, delete = sa.insert(THINGS), sa.delete(THINGS)
    update = sa.update(THINGS).where(THINGS.c.id == ID)
    for _ in range(3):
        with connection.begin():
            connection.execute(insert, ONE)
            connection.execute(insert, [TWO])
            assert connection.execute(update, {"key": "one", "wanted": False, "words": [2]}).rowcount == 1
            assert connection.execute(update, {"key": "nobody", "wanted": False}).rowcount == 0
        found = connection.execute(sa.select(THINGS).order_by(THINGS.c.id)).mappings().all()
        assert found == [{**ONE, "wanted": False, "words": [2]}, TWO]
        connection.rollback()
        with connection.begin():
            assert connection.execute(delete).rowcount == 2


def test_a_default_of_the_column_is_not_forgotten(connection: DirectConnection) -> None:
    insert = sa.insert(THINGS)
    with connection.begin():
        for name in ("a", "b", "c"):
            connection.execute(insert, {"id": name})
    assert set(connection.scalars(sa.select(THINGS.c.select))) == {7}


def test_what_fails_is_told_as_sqlalchemy_tells_it_and_leaves_nothing(connection: DirectConnection) -> None:
    given(connection)
    insert = sa.insert(THINGS)
    for _ in range(3):
        with pytest.raises(sa.exc.IntegrityError), connection.begin():
            connection.execute(insert, [{**ONE, "id": "three"}, ONE])
    assert connection.scalar(sa.select(sa.func.count()).select_from(THINGS)) == 2


def test_a_parameter_that_is_missing_is_named(connection: DirectConnection) -> None:
    query = sa.select(THINGS).where(THINGS.c.id == ID)
    for _ in range(3):
        with pytest.raises(sa.exc.StatementError, match="key"):
            connection.execute(query)


def test_what_is_kept_or_forgotten_is_all_since_the_last_end_whichever_way_it_went(
    connection: DirectConnection,
) -> None:
    given(connection)
    delete, count = sa.delete(THINGS).where(THINGS.c.id == ID), sa.select(sa.func.count()).select_from(THINGS)
    for _ in range(3):  # the usual way at first, then the short one
        connection.execute(delete, {"key": "one"})
        connection.forget_changes()
        assert connection.scalar(count) == 2
        connection.forget_changes()
    connection.execute(sa.delete(THINGS).where(THINGS.c.id == "one"))  # SQLAlchemy's, in one transaction with ours
    connection.execute(delete, {"key": "two"})
    connection.keep_changes()
    connection.forget_changes()
    assert connection.scalar(count) == 0


def test_a_commit_that_fails_is_told_as_sqlalchemy_tells_it(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/things.sqlite", connect_args={"timeout": 0})
    METADATA.create_all(engine)
    connection = DirectConnection(engine)
    connection.execute(sa.insert(THINGS), [ONE])
    with closing(sqlite3.connect(tmp_path / "things.sqlite")) as reader:
        reader.execute("BEGIN").execute("SELECT * FROM things").fetchall()
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            connection.keep_changes()
    connection.forget_changes()
    connection.close()
