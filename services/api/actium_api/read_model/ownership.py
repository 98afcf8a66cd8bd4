"""Whose a child's id is. Ids are the caller's own with the driver API: two load balancers must not use the same one."""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.rows import CHILDREN, RESOURCES
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.wishes import Value

KINDS = {RESOURCES[table]: table for table in CHILDREN}


def taken(connection: sa.Connection, command: LoadBalancerCommand) -> str | None:
    """Give an id that the command would give to something new and that another load balancer uses; None where all are free."""
    wanted: dict[sa.Table, set[str]] = {}
    for child in _children(command):
        wanted.setdefault(KINDS[type(child)], set()).add(child.id)  # type: ignore[attr-defined]
    for table, ids in wanted.items():
        for many, key in statements.named(ids):
            query = statements.select(table.c.id, many, table.c.id, table.c.load_balancer_id)
            for row_id, owner in connection.execute(query, key):
                if owner != command.load_balancer_id:
                    return str(row_id)
    return None


def _children(part: object) -> Iterator[Value]:
    """Give all that is wished for in a command, however deep."""
    if type(part) in KINDS:
        assert isinstance(part, Value)
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from _children(getattr(part, name))
    elif isinstance(part, tuple):
        for each in part:
            yield from _children(each)
