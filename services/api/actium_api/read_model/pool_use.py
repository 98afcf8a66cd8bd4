"""Which listeners use which pools: by default, or by an enabled L7 policy that has at least one rule."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.tables import L7_POLICIES, L7_RULES, LISTENERS


def listeners_of(connection: sa.Connection, pool_ids: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Give the ids of the listeners that use each of the pools, oldest first."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for many, key in statements.named(pool_ids):
        for pool_id, listener_id in connection.execute(_users(many), key):
            groups[pool_id].append(listener_id)
    return groups


@cache
def _users(many: bool) -> sa.Select[Any]:
    default = sa.select(
        LISTENERS.c.default_pool_id.label("pool_id"), LISTENERS.c.id.label("listener_id"), LISTENERS.c.created_at
    ).where(statements.among(LISTENERS.c.default_pool_id, many))
    redirecting = (
        sa.select(L7_POLICIES.c.redirect_pool_id, LISTENERS.c.id, LISTENERS.c.created_at)
        .join_from(L7_POLICIES, LISTENERS, LISTENERS.c.id == L7_POLICIES.c.listener_id)
        .where(
            statements.among(L7_POLICIES.c.redirect_pool_id, many),
            L7_POLICIES.c.admin_state_up,
            sa.exists().where(L7_RULES.c.l7_policy_id == L7_POLICIES.c.id),
        )
    )
    users = default.union(redirecting).subquery()
    return sa.select(users.c.pool_id, users.c.listener_id).order_by(users.c.created_at, users.c.listener_id)
