"""What the rest of the service asks of the tables; read only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from actium_health.operating_status import Key, Kind, Node, Tree
from actium_health.read_model.projections import PLANNER
from actium_health.read_model.tables import amphorae, bundles, objects, placements, positions, records, statuses


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAmphora:
    """An amphora that somebody appointed or booted. `in_service`: neither dismissed nor deleted."""

    id: str
    in_service: bool
    deleted: bool
    key_version: int
    load_balancer_ids: frozenset[str]
    listeners: frozenset[str]
    """All that it carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything to judge one load balancer by, but the reports."""

    tree: Tree
    recorded: dict[Key, str]
    sequence: int
    """Of the last commit of ours; 0 when there is none."""
    planner_position: int
    amphora_ids: tuple[str, ...]
    """In service for it."""
    held: dict[int, int]
    """Bundle -> wish."""


def amphora(connection: sa.Connection, amphora_id: str) -> KnownAmphora | None:
    row = connection.execute(sa.select(amphorae).where(amphorae.c.id == amphora_id)).first()
    if row is None:
        return None
    carried = frozenset(load_balancers_of(connection, row.appliance_id))
    found = sa.select(objects.c.id).where(objects.c.kind == Kind.LISTENER, objects.c.load_balancer_id.in_(carried))
    return KnownAmphora(
        id=amphora_id,
        in_service=not (row.dismissed or row.deleted),
        deleted=row.deleted,
        key_version=row.key_version,
        load_balancer_ids=carried,
        listeners=frozenset(connection.scalars(found)),
    )


def load_balancers_of(connection: sa.Connection, appliance_id: str) -> list[str]:
    found = sa.select(placements.c.load_balancer_id).where(placements.c.appliance_id == appliance_id)
    return [str(key) for key in connection.scalars(found)]


def all_load_balancers(connection: sa.Connection) -> list[str]:
    return [str(key) for key in connection.scalars(sa.select(objects.c.id).where(objects.c.kind == Kind.LOAD_BALANCER))]


def case(connection: sa.Connection, load_balancer_id: str) -> Case | None:
    """Give what is known of a load balancer, None when there is no such one (any more)."""
    tree = _tree(connection.execute(sa.select(objects).where(objects.c.load_balancer_id == load_balancer_id)))
    if tree is None:
        return None
    appliance_id = connection.scalar(
        sa.select(placements.c.appliance_id).where(placements.c.load_balancer_id == load_balancer_id)
    )
    mine = statuses.c.load_balancer_id == load_balancer_id
    return Case(
        tree=tree,
        recorded={
            (row.kind, row.id): row.operating_status for row in connection.execute(sa.select(statuses).where(mine))
        },
        sequence=connection.scalar(sa.select(records.c.sequence).where(records.c.load_balancer_id == load_balancer_id))
        or 0,
        amphora_ids=_in_service(connection, appliance_id),
        held=_held(connection, appliance_id, load_balancer_id),
        # Last, so that it is never behind the tree: who reads our commit waits for it.
        planner_position=connection.scalar(sa.select(positions.c.sequence).where(positions.c.stream == PLANNER)) or 0,
    )


def _tree(rows: Iterable[Any]) -> Tree | None:
    nodes: dict[str, list[Node]] = {kind: [] for kind in Kind}
    for row in rows:
        node = Node(
            kind=Kind(row.kind),
            id=row.id,
            enabled=row.enabled,
            generation=row.generation,
            parent_id=row.parent_id,
            monitored=row.monitored,
        )
        nodes[node.kind].append(node)
    if not nodes[Kind.LOAD_BALANCER]:
        return None
    return Tree(
        load_balancer=nodes[Kind.LOAD_BALANCER][0],
        listeners=tuple(nodes[Kind.LISTENER]),
        pools=tuple(nodes[Kind.POOL]),
        members=tuple(nodes[Kind.MEMBER]),
    )


def _in_service(connection: sa.Connection, appliance_id: str | None) -> tuple[str, ...]:
    found = sa.select(amphorae.c.id).where(
        amphorae.c.appliance_id == appliance_id, sa.not_(amphorae.c.dismissed), sa.not_(amphorae.c.deleted)
    )
    return tuple(connection.scalars(found))


def _held(connection: sa.Connection, appliance_id: str | None, load_balancer_id: str) -> dict[int, int]:
    found = sa.select(bundles.c.bundle, bundles.c.generation).where(
        bundles.c.appliance_id == appliance_id, bundles.c.load_balancer_id == load_balancer_id
    )
    return {int(bundle): int(generation) for bundle, generation in connection.execute(found)}
