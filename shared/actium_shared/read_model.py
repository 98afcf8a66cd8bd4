"""
SQL edge of a service: its database, and positions that move in the same transaction as the rows.

Statements run synchronously: SQLite answers in microseconds on the event loop; PostgreSQL gets a thread per statement
block. What is made from events can be deleted and is rebuilt equal, at any time: all of api's and health's tables. The
tables of orders in compute and network are filled again by the planner, which sends what is still planned.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from actium_shared.bus import Delivery
from actium_shared.clock import Clock, SystemClock
from actium_shared.direct_sql import DirectConnection
from actium_shared.errors import BrokenStoreError, RetryableError
from actium_shared.event_store import EVENT_TYPES, Recorded
from actium_shared.failpoints import FAILPOINTS
from actium_shared.message import Event, Position

T = TypeVar("T")

PASSED_MOST = 500
"""Commits that a table's position may lag behind, all of them nothing to it: so many are read in vain after a start."""


STATEMENTS_KEPT = 500
"""As the driver has compiled them, which takes longer than to run one; its own 128 are fewer than the API has."""


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
        self._kept: DirectConnection | None = None
        self._writing = asyncio.Lock()

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run `query` in a transaction that is not kept."""
        return await self._run(query, self._reading if self._inline else self.engine.connect)

    async def write(self, change: Callable[[sa.Connection], T]) -> T:
        """Run `change` in a transaction: all of it or nothing."""
        async with self._writing:
            FAILPOINTS.reach("table.before")
            result = await self._run(change, self._changing if self._inline else self.engine.begin)
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

    # Inline one piece of work ends before the next begins, so one connection does for all: to take it from a pool and
    # give it back costs more than most statements.

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        connection = self._connection()
        try:
            yield connection
        finally:
            connection.forget_changes()

    @contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        connection = self._connection()
        try:
            yield connection
            connection.keep_changes()
        except BaseException:
            connection.forget_changes()
            raise

    def _connection(self) -> DirectConnection:
        if self._kept is None:
            self._kept = DirectConnection(self.engine)
        return self._kept

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self.engine.dispose()


def _sqlite(url: str) -> sa.Engine:
    path = sa.make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        arguments = {"check_same_thread": False, "cached_statements": STATEMENTS_KEPT}
        engine = sa.create_engine(url, connect_args=arguments)
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
    """
    How far a read model has come, on each stream; lets readers wait for their own writes.

    The table's position moves in one transaction with the rows, so it never leads. What is nothing to the rows is passed
    over without one: there the table's position lags, which is harmless, as what is read again is passed over again.
    """

    def __init__(self, table: sa.Table, *, clock: Clock | None = None) -> None:
        self._table = table
        # Made once: this runs with every commit, and to put a statement together costs more than to run it.
        self._move = sa.update(table).where(table.c.stream == sa.bindparam("key"))
        self._clock = clock or SystemClock()
        self._reached: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[None], Position] = {}

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
        for position in positions:
            self._passed[position.stream] = 0
            self._reach(position)

    def passes(self, delivery: Delivery, reads: frozenset[str] | None) -> bool:
        """
        Tell whether a delivery needs no handling: the rows contain it, or it holds no event of the types in `reads`.

        Every delivery of a feed has to come by here, or be announced, in order. `reads` is None where all matter.
        """
        if delivery.sequence <= self.of(delivery.stream):
            return True
        if reads is None:
            return False
        types = delivery.headers.get(EVENT_TYPES)
        if types is None or not reads.isdisjoint(types.split(",")):
            return False
        passed = self._passed.get(delivery.stream, 0) + 1
        if passed >= PASSED_MOST:
            return False  # to be handled for the sake of the table's position
        self._passed[delivery.stream] = passed
        self._reach(Position(delivery.stream, delivery.sequence))
        return True

    async def wait_for(self, position: Position, *, timeout_s: float) -> None:
        """
        Return when the read model contains `position`.

        Raises:
            RetryableError: it does not within `timeout_s`.
        """
        if self.of(position.stream) >= position.sequence:
            return
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[told] = position
        try:
            async with asyncio.timeout(timeout_s):
                await told
        except TimeoutError as exc:
            raise RetryableError(f"read model has not reached {position} within {timeout_s} s") from exc
        finally:
            self._waiting.pop(told, None)

    def _reach(self, position: Position) -> None:
        if position.sequence <= self.of(position.stream):
            return
        self._reached[position.stream] = position.sequence
        for told, wanted in list(self._waiting.items()):
            if wanted.stream == position.stream and wanted.sequence <= position.sequence:
                del self._waiting[told]
                if not told.done():
                    told.set_result(None)


def types_of(reads: Iterable[type[Event]]) -> frozenset[str]:
    """Give what `Positions.passes` wants to know of the events that somebody reads."""
    return frozenset(event.TYPE for event in reads)


class Projector(Generic[T]):
    """Brings tables up to date by `project`, each commit with its position in one transaction."""

    def __init__(
        self, database: Database, positions: Positions, project: Callable[[sa.Connection, Recorded], T]
    ) -> None:
        self._database = database
        self._positions = positions
        self._project = project
        self._applying = asyncio.Lock()

    async def apply(self, commits: Sequence[Recorded]) -> list[T]:
        """
        Apply commits in order, all in one transaction, and give what `project` told of each.

        What the tables contain already is passed over.
        """
        async with self._applying:
            return await self._apply(commits)

    async def apply_next(self, item: Recorded) -> list[T] | None:
        """As `apply`, where the commit is the next one of its stream; None where it is not, and nothing is done."""
        async with self._applying:
            is_next = self._positions.of(item.position.stream) == item.position.sequence - 1
            return await self._apply([item]) if is_next else None

    async def _apply(self, commits: Sequence[Recorded]) -> list[T]:
        new = [item for item in commits if item.position.sequence > self._positions.of(item.position.stream)]
        if not new:
            return []
        ends = {item.position.stream: item.position for item in new}

        def change(connection: sa.Connection) -> list[T]:
            told = [self._project(connection, item) for item in new]
            for position in ends.values():
                self._positions.record(connection, position)
            return told

        told = await self._database.write(change)
        await self._positions.announce(ends.values())
        return told
