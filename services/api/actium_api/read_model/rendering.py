"""From a resource's row to what it shows: the row's values, its JSON among them. Reads the rows it names, changes none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import documents, pool_use, statements
from actium_api.read_model.documents import Document, Shown
from actium_api.read_model.tables import (
    HEALTH_MONITORS,
    L7_POLICIES,
    L7_RULES,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    SECONDS_END,
)
from actium_shared.wishes import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool

Ids = Mapping[str, Sequence[str]]


class Relations:
    """The ids that rows of one table show of other tables' rows, read for many rows at once."""

    def __init__(self, connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], *, many: bool) -> None:
        self._shown: tuple[str, ...] = table.info["shown"]
        self._listeners: Ids = {}
        self._pools: Ids = {}
        self._members: Ids = {}
        self._monitors: Ids = {}
        self._policies: Ids = {}
        self._rules: Ids = {}
        if table is LOAD_BALANCERS:
            self._listeners = _grouped(connection, LISTENERS.c.load_balancer_id, key, many=many)
            self._pools = _grouped(connection, POOLS.c.load_balancer_id, key, many=many)
        if table is LISTENERS:
            self._policies = _policies_of(connection, key, many=many)
        if table is L7_POLICIES:
            self._rules = _grouped(connection, L7_RULES.c.l7_policy_id, key, many=many)
        if table is POOLS:
            self._listeners = pool_use.listeners_of(connection, key["keys"] if many else [key["key"]])
            self._members = _grouped(connection, MEMBERS.c.pool_id, key, many=many)
            self._monitors = _grouped(connection, HEALTH_MONITORS.c.pool_id, key, many=many)

    def values(self, row: sa.RowMapping, wish: object) -> dict[str, object]:
        """Give the new values of a row's columns; `key` is its id."""
        updated_at = max(filter(None, (row["changed_at"], row["operating_changed_at"])), default=None)
        shown = Shown(
            project_id=row["project_id"],
            load_balancer_id=row["load_balancer_id"],
            provisioning_status=row["provisioning_status"],
            operating_status=row["operating_status"],
            created_at=row["created_at"][:SECONDS_END],
            updated_at=updated_at,
        )
        document = self._document(wish, shown, row)
        return {
            "key": row["id"],
            "updated_at": updated_at,
            "body": msgspec.json.encode(document),
            **{name: document.get(name) for name in self._shown},
        }

    def _document(self, wish: Any, shown: Shown, row: sa.RowMapping) -> Document:
        match wish:
            case LoadBalancer():
                listeners, pools = self._listeners.get(wish.id, ()), self._pools.get(wish.id, ())
                return documents.load_balancer(wish, shown, listeners=listeners, pools=pools)
            case Listener():
                return documents.listener(wish, shown, l7_policies=self._policies.get(wish.id, ()))
            case Pool():
                return documents.pool(
                    wish,
                    shown,
                    listeners=self._listeners.get(wish.id, ()),
                    members=self._members.get(wish.id, ()),
                    health_monitor_id=next(iter(self._monitors.get(wish.id, ())), None),
                )
            case Member():
                return documents.member(wish, shown)
            case HealthMonitor():
                return documents.health_monitor(wish, shown, pool_id=row["pool_id"])
            case L7Policy():
                return documents.l7_policy(wish, shown, position=row["position"], rules=self._rules.get(wish.id, ()))
            case L7Rule():
                return documents.l7_rule(wish, shown)
            case _:
                raise TypeError(f"nothing shows a {type(wish).__name__}")


def _grouped(connection: sa.Connection, by: sa.Column[Any], key: Mapping[str, Any], *, many: bool) -> Ids:
    """Give the ids of the table's rows by the id that they refer to, oldest first."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for owner, row_id in connection.execute(statements.select_in_order(by, many, by, by.table.c.id), key):
        groups[owner].append(row_id)
    return groups


def _policies_of(connection: sa.Connection, key: Mapping[str, Any], *, many: bool) -> Ids:
    """Give the ids of listeners' policies in the order that they are tried."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for listener_id, policy_id in connection.execute(_select_policies(many), key):
        groups[listener_id].append(policy_id)
    return groups


@cache
def _select_policies(many: bool) -> sa.Select[Any]:
    policies = L7_POLICIES.c
    chosen = statements.select(policies.listener_id, many, policies.listener_id, policies.id)
    return chosen.order_by(policies.position, policies.created_at, policies.id)
