"""A page of a large list is read from an index in its order: nothing is sorted, however long the list is."""

from typing import Any

import pytest
import sqlalchemy as sa

from actium_api.read_model import queries
from actium_api.read_model.queries import PageQuery
from actium_api.read_model.tables import LISTENERS, LOAD_BALANCERS, MEMBERS, POOLS
from unit.api.given import ReadModel


def plan_of(model: ReadModel, table: sa.Table, filters: dict[str, object]) -> str:
    """Give what SQLite says that it would do for a page."""
    asked: list[tuple[str, Any]] = []
    with model.database.engine.connect() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _u, statement, values, *_: asked.append((statement, values))
        )
        query = PageQuery(filters=filters, sort=(("created_at", False), ("id", False)), limit=100)
        queries.page(connection, table, query)
        statement, values = asked[-1]
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    return "; ".join(row[-1] for row in rows)


@pytest.mark.parametrize(
    ("table", "filters"),
    [
        (LOAD_BALANCERS, {}),
        (LOAD_BALANCERS, {"project_id": "p"}),
        (LISTENERS, {"project_id": "p"}),
        (POOLS, {"load_balancer_id": "l"}),
        (MEMBERS, {"pool_id": "p"}),
    ],
    ids=lambda value: value.name if isinstance(value, sa.Table) else "by " + ("".join(value) or "nothing"),
)
def test_a_page_is_not_sorted(table: sa.Table, filters: dict[str, object]) -> None:
    plan = plan_of(ReadModel(), table, filters)
    assert "INDEX" in plan
    assert "TEMP B-TREE" not in plan
