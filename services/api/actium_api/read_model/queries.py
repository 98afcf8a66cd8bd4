"""Questions to the read model: one resource, a page of a collection, a load balancer's tree, its statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.tables import (
    AMPHORAE,
    CARRIED,
    HEALTH_MONITORS,
    L7_POLICIES,
    L7_RULES,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    SECONDS_END,
    STATISTICS,
    TAGS,
)
from actium_shared.statistics import PROVIDER_PREFIX

COUNTERS = ("bytes_in", "bytes_out", "active_connections", "total_connections", "request_errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """Which rows, in which order, and how many. `sort` pairs a column with whether it descends."""

    filters: Mapping[str, object]
    sort: tuple[tuple[str, bool], ...]
    limit: int
    marker: str | None = None
    reverse: bool = False
    tags_all: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    not_tags_all: tuple[str, ...] = ()
    not_tags_any: tuple[str, ...] = ()


class UnknownMarkerError(LookupError):
    """The page shall begin behind something that does not exist."""


def body(connection: sa.Connection, table: sa.Table, row_id: str) -> bytes | None:
    """Give one resource's JSON."""
    found: bytes | None = connection.scalar(statements.select(table.c.id, False, table.c.body), {"key": row_id})
    return found


def owned_body(connection: sa.Connection, table: sa.Table, row_id: str) -> tuple[str | None, bytes] | None:
    """Give one resource's project (None: it has none) and its JSON."""
    columns = (table.c.body, table.c.project_id) if "project_id" in table.c else (table.c.body,)
    found = connection.execute(statements.select(table.c.id, False, *columns), {"key": row_id}).first()
    if found is None or found[0] is None:
        return None
    return (found[1] if len(columns) > 1 else None), found[0]


def row(connection: sa.Connection, table: sa.Table, row_id: str) -> sa.RowMapping | None:
    """Give one resource's row."""
    return connection.execute(statements.select(table.c.id, False), {"key": row_id}).mappings().one_or_none()


def page(connection: sa.Connection, table: sa.Table, query: PageQuery) -> list[tuple[str, bytes]]:
    """
    Give id and JSON of the rows asked for; with `reverse` those nearest before the marker, in the same order as ever.

    Raises:
        UnknownMarkerError: there is no row with the marker's id.
    """
    order = [(_sortable(table.c[name]), descending != query.reverse) for name, descending in query.sort]
    statement = sa.select(table.c.id, table.c.body).where(table.c.body.is_not(None), *_conditions(table, query))
    if query.marker is not None:
        statement = statement.where(_beyond(order, _marker_values(connection, table, query)))
    statement = statement.order_by(*(key.desc() if descending else key.asc() for key, descending in order))
    found = [(str(row_id), bytes(json)) for row_id, json in connection.execute(statement.limit(query.limit))]
    return found[::-1] if query.reverse else found


def _sortable(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Give nulls a place, the same in every database: first."""
    if not column.nullable:
        return column
    if isinstance(column.type, sa.Boolean):
        return sa.func.coalesce(sa.cast(column, sa.Integer), -1)
    return sa.func.coalesce(column, "" if isinstance(column.type, sa.String) else -2)


def _conditions(table: sa.Table, query: PageQuery) -> list[sa.ColumnElement[bool]]:
    conditions = [_condition(table.c[name], value) for name, value in query.filters.items()]
    conditions += [_tagged(table, (tag,)) for tag in query.tags_all]
    if query.tags_any:
        conditions.append(_tagged(table, query.tags_any))
    if query.not_tags_all:
        conditions.append(~sa.and_(*(_tagged(table, (tag,)) for tag in query.not_tags_all)))
    if query.not_tags_any:
        conditions.append(~_tagged(table, query.not_tags_any))
    return conditions


def _condition(column: sa.Column[Any], value: object) -> sa.ColumnElement[bool]:
    if value is None:
        return column.is_(None)
    if column is AMPHORAE.c.loadbalancer_id:  # the row shows the oldest that it carries; it is found by all
        carriers = sa.select(CARRIED.c.appliance_id).where(CARRIED.c.load_balancer_id == value)
        return AMPHORAE.c.appliance_id.in_(carriers)
    if column.name == "created_at":
        return sa.func.substr(column, 1, SECONDS_END) == value
    return column == value


def _tagged(table: sa.Table, tags: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(TAGS.c.resource_id == table.c.id, TAGS.c.tag.in_(tags))


def _marker_values(connection: sa.Connection, table: sa.Table, query: PageQuery) -> list[object]:
    wanted = [_sortable(table.c[name]) for name, _ in query.sort]
    found = connection.execute(sa.select(*wanted).where(table.c.id == query.marker)).one_or_none()
    if found is None:
        raise UnknownMarkerError(query.marker)
    return list(found)


def _beyond(order: Sequence[tuple[sa.ColumnElement[Any], bool]], values: Sequence[object]) -> sa.ColumnElement[bool]:
    """Say that a row comes after the one with these values, in this order."""
    alternatives = []
    for place, (key, descending) in enumerate(order):
        equal = [earlier == value for (earlier, _), value in zip(order[:place], values, strict=False)]
        alternatives.append(sa.and_(*equal, key < values[place] if descending else key > values[place]))
    return sa.or_(*alternatives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A load balancer's JSON and that of everything in it."""

    load_balancer: bytes
    listeners: list[bytes]
    pools: list[bytes]
    children: list[bytes]

    def decoded(self) -> dict[str, Any]:
        """Give it as `documents` takes it."""
        return {
            "load_balancer": msgspec.json.decode(self.load_balancer),
            **{
                name: [msgspec.json.decode(each) for each in getattr(self, name)]
                for name in ("listeners", "pools", "children")
            },
        }


def tree(connection: sa.Connection, load_balancer_id: str) -> Tree | None:
    """Give a load balancer with all that is in it."""
    own = body(connection, LOAD_BALANCERS, load_balancer_id)
    if own is None:
        return None

    def bodies(table: sa.Table) -> list[bytes]:
        statement = statements.select_in_order(table.c.load_balancer_id, False, table.c.body)
        return [bytes(each) for each in connection.scalars(statement, {"key": load_balancer_id})]

    listeners, pools = bodies(LISTENERS), bodies(POOLS)
    of_pools = bodies(MEMBERS) + bodies(HEALTH_MONITORS) if pools else []
    of_listeners = bodies(L7_POLICIES) + bodies(L7_RULES) if listeners else []
    return Tree(load_balancer=own, listeners=listeners, pools=pools, children=of_pools + of_listeners)


def statistics(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> dict[str, int]:
    """Give the sums over amphorae and listeners; only amphorae in service have active connections."""
    sums = [sa.func.coalesce(sa.func.sum(_counted(name)), 0).label(name) for name in COUNTERS]
    joined = STATISTICS.outerjoin(AMPHORAE, AMPHORAE.c.id == STATISTICS.c.amphora_id)
    found = connection.execute(sa.select(*sums).select_from(joined).where(condition)).mappings().one()
    return {name: int(found[name]) for name in COUNTERS}


def _counted(name: str) -> sa.ColumnElement[int]:
    column: sa.ColumnElement[int] = STATISTICS.c[name]
    if name != "active_connections":
        return column
    in_service = sa.or_(AMPHORAE.c.status == "ALLOCATED", STATISTICS.c.amphora_id.startswith(PROVIDER_PREFIX))
    return sa.case((in_service, column), else_=0)


def amphora_statistics(connection: sa.Connection, amphora_id: str) -> list[dict[str, object]]:
    """Give what one amphora has done, per listener."""
    statement = sa.select(STATISTICS).where(STATISTICS.c.amphora_id == amphora_id).order_by(STATISTICS.c.listener_id)
    return [
        {
            "id": amphora_id,
            "listener_id": found["listener_id"],
            "loadbalancer_id": found["load_balancer_id"],
            **{name: found[name] for name in COUNTERS},
        }
        for found in connection.execute(statement).mappings()
    ]
