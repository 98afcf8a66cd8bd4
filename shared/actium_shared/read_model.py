"""
SQL edge of a service: its database, and positions that move in the same transaction as the rows.

Statements run synchronously: SQLite answers in microseconds on the event loop; PostgreSQL gets a thread per statement
block. What is made from events can be deleted and is rebuilt equal, at any time: all of api's and health's tables. The
tables of orders in compute and network are filled again by the planner, which sends what is still planned.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from actium_shared.clock import Clock, SystemClock
from actium_shared.errors import BrokenStoreError, RetryableError
from actium_shared.event_store import Recorded
from actium_shared.failpoints import FAILPOINTS
from actium_shared.message import Position

T = TypeVar("T")


def positions_table(of: sa.MetaData) -> sa.Table:
    """Give the table that says how far each stream is read; one row a stream."""
    return sa.Table(
        "positions",
        of,
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )


class Database:
    """One database, one writer at a time."""

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._inline = url.startswith("sqlite")
        self.engine = _sqlite(url) if self._inline else sa.create_engine(url, pool_pre_ping=True)
        self._writing = asyncio.Lock()

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run `query` in a transaction that is not kept."""
        return await self._run(query, self.engine.connect)

    async def write(self, change: Callable[[sa.Connection], T]) -> T:
        """Run `change` in a transaction: all of it or nothing."""
        async with self._writing:
            FAILPOINTS.reach("table.before")
            result = await self._run(change, self.engine.begin)
            FAILPOINTS.reach("table.after")
            return result

    async def _run(self, work: Callable[[sa.Connection], T], connect: Callable[[], object]) -> T:
        def inside() -> T:
            try:
                with connect() as connection:  # type: ignore[attr-defined]
                    return work(connection)
            except (sa.exc.OperationalError, sa.exc.InternalError) as exc:
                raise BrokenStoreError(f"the database cannot be used: {exc.orig}") from exc

        return inside() if self._inline else await asyncio.to_thread(inside)

    def close(self) -> None:
        self.engine.dispose()


def _sqlite(url: str) -> sa.Engine:
    path = sa.make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"check_same_thread": False})
    else:
        engine = sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes, the log gives back
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return engine


class Positions:
    """How far a read model has come, on each stream; lets readers wait for their own writes."""

    def __init__(self, table: sa.Table, *, clock: Clock | None = None) -> None:
        self._table = table
        # Made once: this runs with every commit, and to put a statement together costs more than to run it.
        self._move = sa.update(table).where(table.c.stream == sa.bindparam("key"))
        self._clock = clock or SystemClock()
        self._reached: dict[str, int] = {}
        self._moved = asyncio.Condition()

    async def load(self, database: Database) -> None:
        """Learn from the database where the read model stands."""

        def query(connection: sa.Connection) -> dict[str, int]:
            rows = connection.execute(sa.select(self._table.c.stream, self._table.c.sequence))
            return {str(stream): int(sequence) for stream, sequence in rows}

        self._reached = await database.read(query)

    def of(self, stream: str) -> int:
        """Give the last sequence of the stream that the rows contain."""
        return self._reached.get(stream, 0)

    def record(self, connection: sa.Connection, position: Position) -> None:
        """Move, in the caller's transaction; `announce` after it is committed."""
        moved = connection.execute(self._move, {"key": position.stream, "sequence": position.sequence})
        if moved.rowcount == 0:
            connection.execute(sa.insert(self._table), {"stream": position.stream, "sequence": position.sequence})

    async def announce(self, positions: Iterable[Position]) -> None:
        """Tell waiters that the rows are there."""
        async with self._moved:
            for position in positions:
                self._reached[position.stream] = max(position.sequence, self.of(position.stream))
            self._moved.notify_all()

    async def wait_for(self, position: Position, *, timeout_s: float) -> None:
        """
        Return when the read model contains `position`.

        Raises:
            RetryableError: it does not within `timeout_s`.
        """
        if self.of(position.stream) >= position.sequence:
            return
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self.of(position.stream) >= position.sequence)
        except TimeoutError as exc:
            raise RetryableError(f"read model has not reached {position} within {timeout_s} s") from exc


class Projector(Generic[T]):
    """Brings tables up to date by `project`, each commit with its position in one transaction."""

    def __init__(
        self, database: Database, positions: Positions, project: Callable[[sa.Connection, Recorded], T]
    ) -> None:
        self._database = database
        self._positions = positions
        self._project = project

    async def apply(self, commits: Sequence[Recorded]) -> list[T]:
        """
        Apply commits in order, all in one transaction, and give what `project` told of each.

        What the tables contain already is passed over.
        """
        new = [item for item in commits if item.position.sequence > self._positions.of(item.position.stream)]
        if not new:
            return []

        def change(connection: sa.Connection) -> list[T]:
            told = [self._project(connection, item) for item in new]
            for item in new:
                self._positions.record(connection, item.position)
            return told

        told = await self._database.write(change)
        await self._positions.announce(item.position for item in new)
        return told
