"""What the rest of the service asks of the tables; read only."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from actium_health.liveness import Verdict
from actium_health.operating_status import Key, Kind, Node, Tree
from actium_health.read_model.projections import COMPUTE, PLANNER
from actium_health.read_model.tables import (
    amphorae,
    bundles,
    liveness,
    losses,
    objects,
    placements,
    positions,
    records,
    statuses,
)
from actium_shared import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAmphora:
    """An amphora that somebody appointed or booted. `in_service`: neither dismissed nor deleted."""

    id: str
    appliance_id: str
    in_service: bool
    deleted: bool
    key_version: int
    load_balancer_ids: frozenset[str]
    listeners: frozenset[str]
    """All that it carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One amphora as far as life and death are concerned, and what was last recorded of it (`sequence` 0: nothing)."""

    id: str
    appliance_id: str
    host: str
    spare: bool
    deleted: bool
    expected: bool
    """To beat: it has booted, and nobody has sent it away."""
    sequence: int = 0
    verdict: Verdict = Verdict.NONE
    role: str = ""
    epoch: int = 0


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
        appliance_id=row.appliance_id,
        in_service=not (row.dismissed or row.deleted),
        deleted=row.deleted,
        key_version=row.key_version,
        load_balancer_ids=carried,
        listeners=frozenset(connection.scalars(found)),
    )


def lives(connection: sa.Connection, amphora_id: str | None = None) -> list[Life]:
    """Give this amphora, or all that are not deleted."""
    found = connection.execute(_LIVES) if amphora_id is None else connection.execute(_LIFE, {"wanted": amphora_id})
    return [_life(row) for row in found]


def losses_since(connection: sa.Connection, at: float) -> list[tuple[float, str]]:
    """Give time and host of every verdict since, in order."""
    found = sa.select(losses.c.at, losses.c.host).where(losses.c.at >= at).order_by(losses.c.at)
    return [(row.at, row.host) for row in connection.execute(found)]


def reached(connection: sa.Connection) -> dict[str, int]:
    """Give the positions that a verdict rests on."""
    found = connection.execute(sa.select(positions).where(positions.c.stream.in_((PLANNER, COMPUTE))))
    return {row.stream: row.sequence for row in found}


def load_balancers_of(connection: sa.Connection, appliance_id: str) -> list[str]:
    found = rows.find(connection, placements, placements.c.load_balancer_id, appliance_id=appliance_id)
    return [str(key) for key in found.scalars()]


def all_load_balancers(connection: sa.Connection) -> list[str]:
    return [str(key) for key in connection.scalars(sa.select(objects.c.id).where(objects.c.kind == Kind.LOAD_BALANCER))]


def case(connection: sa.Connection, load_balancer_id: str) -> Case | None:
    """Give what is known of a load balancer, None when there is no such one (any more)."""
    tree = _tree(rows.find(connection, objects, load_balancer_id=load_balancer_id))
    if tree is None:
        return None
    appliance_id = _appliance(connection, load_balancer_id)
    recorded = rows.find(connection, statuses, load_balancer_id=load_balancer_id)
    sequence = rows.find(connection, records, records.c.sequence, load_balancer_id=load_balancer_id).scalar()
    return Case(
        tree=tree,
        recorded={(row.kind, row.id): row.operating_status for row in recorded},
        sequence=sequence or 0,
        amphora_ids=_in_service(connection, appliance_id),
        held=_held(connection, appliance_id, load_balancer_id),
        # Last, so that it is never behind the tree: who reads our commit waits for it.
        planner_position=rows.find(connection, positions, positions.c.sequence, stream=PLANNER).scalar() or 0,
    )


def in_service(connection: sa.Connection, load_balancer_id: str) -> tuple[str, ...]:
    """Give the amphorae whose reports tell of this load balancer."""
    return _in_service(connection, _appliance(connection, load_balancer_id))


def _life(row: Any) -> Life:
    life = Life(
        id=row.id,
        appliance_id=row.appliance_id,
        host=row.host,
        spare=row.spare,
        deleted=row.deleted,
        expected=row.key_version > 0 and not (row.dismissed or row.deleted),
    )
    if row.sequence is None:
        return life
    return replace(life, sequence=row.sequence, verdict=Verdict(row.verdict), role=row.role, epoch=row.epoch)


def _appliance(connection: sa.Connection, load_balancer_id: str) -> str | None:
    found = rows.find(connection, placements, placements.c.appliance_id, load_balancer_id=load_balancer_id)
    return None if (appliance_id := found.scalar()) is None else str(appliance_id)


def _tree(found: Iterable[Any]) -> Tree | None:
    nodes: dict[str, list[Node]] = {kind: [] for kind in Kind}
    for row in found:
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
    key = {"appliance_id": appliance_id, "dismissed": False, "deleted": False}
    return tuple(rows.find(connection, amphorae, amphorae.c.id, **key).scalars())


def _held(connection: sa.Connection, appliance_id: str | None, load_balancer_id: str) -> dict[int, int]:
    numbers = (bundles.c.bundle, bundles.c.generation)
    found = rows.find(connection, bundles, *numbers, appliance_id=appliance_id, load_balancer_id=load_balancer_id)
    return {int(row.bundle): int(row.generation) for row in found}


_EVERY_LIFE = sa.select(
    amphorae, liveness.c.sequence, liveness.c.verdict, liveness.c.role, liveness.c.epoch
).select_from(amphorae.outerjoin(liveness, liveness.c.amphora_id == amphorae.c.id))
_LIVES = _EVERY_LIFE.where(amphorae.c.deleted.is_(False))
_LIFE = _EVERY_LIFE.where(amphorae.c.id == sa.bindparam("wanted"))
