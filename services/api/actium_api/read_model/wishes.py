"""A load balancer with all that is in it as it is wished for, from the rows: for drivers, who take objects, not replies."""

from collections import defaultdict
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.rows import RESOURCES
from actium_api.read_model.tables import (
    HEALTH_MONITORS,
    L7_POLICIES,
    L7_RULES,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
)
from actium_shared.wishes import HealthMonitor, L7PolicyWish, L7Rule, LoadBalancerWish, Member, PoolWish


def tree(connection: sa.Connection, load_balancer_id: str) -> LoadBalancerWish | None:
    """Give the whole wish, or None where there is no such load balancer."""
    own = statements.select(LOAD_BALANCERS.c.id, False)
    found = connection.execute(own, {"key": load_balancer_id}).mappings().one_or_none()
    if found is None:
        return None

    def rows(table: sa.Table) -> list[sa.RowMapping]:
        query = statements.select_in_order(table.c.load_balancer_id, False)
        return list(connection.execute(query, {"key": load_balancer_id}).mappings())

    members: defaultdict[str, list[Member]] = defaultdict(list)
    for row in rows(MEMBERS):
        members[row["pool_id"]].append(_wish(MEMBERS, row))
    monitors: dict[str, HealthMonitor] = {row["pool_id"]: _wish(HEALTH_MONITORS, row) for row in rows(HEALTH_MONITORS)}
    rules: defaultdict[str, list[L7Rule]] = defaultdict(list)
    for row in rows(L7_RULES):
        rules[row["l7_policy_id"]].append(_wish(L7_RULES, row))
    return LoadBalancerWish(
        generation=found["generation"],
        load_balancer=_wish(LOAD_BALANCERS, found),
        listeners=tuple(_wish(LISTENERS, row) for row in rows(LISTENERS)),
        pools=tuple(
            PoolWish(pool=_wish(POOLS, row), members=tuple(members[row["id"]]), health_monitor=monitors.get(row["id"]))
            for row in rows(POOLS)
        ),
        l7_policies=tuple(
            L7PolicyWish(
                policy=msgspec.structs.replace(_wish(L7_POLICIES, row), position=row["position"]),
                rules=tuple(rules[row["id"]]),
            )
            for row in sorted(rows(L7_POLICIES), key=lambda row: (row["listener_id"], row["position"]))
        ),
    )


def owner(connection: sa.Connection, table: sa.Table, object_id: str) -> str | None:
    """Give the load balancer that an object belongs to."""
    query = statements.select(table.c.id, False, table.c.load_balancer_id)
    found: str | None = connection.scalar(query, {"key": object_id})
    return found


def provider(connection: sa.Connection, load_balancer_id: str) -> str | None:
    """Give the name of who serves a load balancer."""
    query = statements.select(LOAD_BALANCERS.c.id, False, LOAD_BALANCERS.c.provider)
    found: str | None = connection.scalar(query, {"key": load_balancer_id})
    return found


def _wish(table: sa.Table, row: sa.RowMapping) -> Any:
    return msgspec.msgpack.decode(row["wish"], type=RESOURCES[table])
