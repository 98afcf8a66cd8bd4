"""
The rows that one batch of commits changes: written at once, and what they show rendered at the batch's end, once each.

How rows follow from events is not here (`projections`), nor what a reply shows (`documents`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.amphora_rows import amphora_values
from actium_api.read_model.rendering import Relations
from actium_api.read_model.tables import (
    AMPHORAE,
    HEALTH_MONITORS,
    L7_POLICIES,
    L7_RULES,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
)
from actium_shared.wishes import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool, Value

RESOURCES: Mapping[sa.Table, type[Value]] = {
    LOAD_BALANCERS: LoadBalancer,
    LISTENERS: Listener,
    POOLS: Pool,
    MEMBERS: Member,
    HEALTH_MONITORS: HealthMonitor,
    L7_POLICIES: L7Policy,
    L7_RULES: L7Rule,
}
CHILDREN = (LISTENERS, POOLS, MEMBERS, HEALTH_MONITORS, L7_POLICIES, L7_RULES)

_DECODERS: Mapping[sa.Table, msgspec.msgpack.Decoder[Any]] = {
    table: msgspec.msgpack.Decoder(wish) for table, wish in RESOURCES.items()
}
_ENCODER = msgspec.msgpack.Encoder()


def seconds(at: datetime) -> str:
    """Give a time as replies show it: UTC, no zone, no fraction."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def moment(at: datetime) -> str:
    """Give a time in full: what was made within one second is listed in the order in which it was made."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def pack(wish: Value) -> bytes:
    return _ENCODER.encode(wish)


class Rows:
    """One transaction's view of the tables, and what has to be rendered before it ends."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._stale: defaultdict[sa.Table, set[str]] = defaultdict(set)

    def touch(self, table: sa.Table, ids: Iterable[str | None]) -> None:
        """Have these rendered again."""
        self._stale[table].update(each for each in ids if each is not None)

    def ids(self, by: sa.Column[Any], keys: Iterable[str], *, wanted: sa.Column[Any] | None = None) -> list[str]:
        """Give the ids, or another column that is wanted, of the rows whose column holds one of the keys; no nulls."""
        chosen = by.table.c.id if wanted is None else wanted
        return [
            str(each)
            for many, key in statements.named(keys)
            for each in self.connection.scalars(statements.select(by, many, chosen), key)
            if each is not None
        ]

    def wish(self, table: sa.Table, row_id: str) -> Any:
        """Give the wish of a row, or None where there is no such row."""
        found = self.connection.scalar(statements.select(table.c.id, False, table.c.wish), {"key": row_id})
        return None if found is None else _DECODERS[table].decode(found)

    def update(self, table: sa.Table, row_id: str, **values: object) -> None:
        self.connection.execute(statements.update(table.c.id), {"key": row_id, **values})

    def delete(self, by: sa.Column[Any], keys: Iterable[str]) -> None:
        """Delete the rows whose column holds one of the keys."""
        for many, key in statements.named(keys):
            self.connection.execute(statements.delete(by, many), key)

    def render(self) -> None:
        """Bring what all touched rows show up to date."""
        for table in RESOURCES:
            for many, key in statements.named(self._stale.pop(table, ())):
                self._update(table, self._resources(table, key, many=many))
        for many, key in statements.named(self._stale.pop(AMPHORAE, ())):
            self._update(AMPHORAE, amphora_values(self.connection, key, many=many))

    def _resources(self, table: sa.Table, key: Mapping[str, Any], *, many: bool) -> list[dict[str, object]]:
        relations = Relations(self.connection, table, key, many=many)
        rows = self.connection.execute(statements.select(table.c.id, many), key).mappings()
        return [relations.values(row, _DECODERS[table].decode(row["wish"])) for row in rows]

    def _update(self, table: sa.Table, values: list[dict[str, object]]) -> None:
        if values:
            self.connection.execute(statements.update(table.c.id), values)
