"""
The rows that one batch of commits changes: written at once, and what they show rendered at the batch's end, once each.

How rows follow from events is not here (`projections`), nor what a reply shows (`documents`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model.amphora_rows import amphora_values
from actium_api.read_model.rendering import Relations
from actium_api.read_model.tables import AMPHORAE, HEALTH_MONITORS, LISTENERS, LOAD_BALANCERS, MEMBERS, POOLS, TAGS
from actium_shared.wishes import HealthMonitor, Listener, LoadBalancer, Member, Pool, Value

RESOURCES: Mapping[sa.Table, type[Value]] = {
    LOAD_BALANCERS: LoadBalancer,
    LISTENERS: Listener,
    POOLS: Pool,
    MEMBERS: Member,
    HEALTH_MONITORS: HealthMonitor,
}
CHILDREN = (LISTENERS, POOLS, MEMBERS, HEALTH_MONITORS)

CHUNK = 500
"""Rows per statement: below every database's limit of parameters."""

_DECODERS: Mapping[sa.Table, msgspec.msgpack.Decoder[Any]] = {
    table: msgspec.msgpack.Decoder(wish) for table, wish in RESOURCES.items()
}
_ENCODER = msgspec.msgpack.Encoder()


def seconds(at: datetime) -> str:
    """Give a time as replies show it: UTC, no zone, no fraction."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def pack(wish: Value) -> bytes:
    return _ENCODER.encode(wish)


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """Give the values in order, a statement's worth at a time."""
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


class Rows:
    """One transaction's view of the tables, and what has to be rendered before it ends."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._stale: defaultdict[sa.Table, set[str]] = defaultdict(set)

    def touch(self, table: sa.Table, ids: Iterable[str | None]) -> None:
        """Have these rendered again."""
        self._stale[table].update(each for each in ids if each is not None)

    def ids(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> list[str]:
        """Give the ids of the rows that meet the conditions."""
        return [str(each) for each in self.connection.scalars(sa.select(table.c.id).where(*conditions))]

    def wish(self, table: sa.Table, row_id: str) -> Any:
        """Give the wish of a row, or None where there is no such row."""
        found = self.connection.scalar(sa.select(table.c.wish).where(table.c.id == row_id))
        return None if found is None else _DECODERS[table].decode(found)

    def delete(self, table: sa.Table, ids: Iterable[str]) -> None:
        for some in chunks(ids):
            self.connection.execute(sa.delete(table).where(table.c.id.in_(some)))

    def delete_tags(self, ids: Iterable[str]) -> None:
        for some in chunks(ids):
            self.connection.execute(sa.delete(TAGS).where(TAGS.c.resource_id.in_(some)))

    def render(self) -> None:
        """Bring what all touched rows show up to date."""
        for table in RESOURCES:
            for some in chunks(self._stale.pop(table, ())):
                self._update(table, self._resources(table, some))
        for some in chunks(self._stale.pop(AMPHORAE, ())):
            self._update(AMPHORAE, amphora_values(self.connection, some))

    def _resources(self, table: sa.Table, ids: Sequence[str]) -> list[dict[str, object]]:
        relations = Relations(self.connection, table, ids)
        rows = self.connection.execute(sa.select(table).where(table.c.id.in_(ids))).mappings()
        return [relations.values(row, _DECODERS[table].decode(row["wish"])) for row in rows]

    def _update(self, table: sa.Table, values: list[dict[str, object]]) -> None:
        if values:
            self.connection.execute(sa.update(table).where(table.c.id == sa.bindparam("key")), values)
