"""Traffic totals at rest: one row per amphora, boot and listener. The only rows that no event can rebuild."""

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from actium_health import traffic
from actium_health.read_model.tables import objects, totals
from actium_health.traffic import Counted
from actium_shared.ids import AmphoraId, ListenerId, LoadBalancerId
from actium_shared.statistics import ListenerTotals, LoadBalancerStatistics

Key = tuple[str, str, str]
"""Amphora, boot, listener."""


def keep(connection: sa.Connection, counted: Mapping[Key, Counted]) -> set[tuple[str, str]]:
    """
    Merge figures into the rows; give the (load balancer, amphora) pairs that they belong to.

    Those of listeners that do not exist (any more) are dropped.
    """
    wanted = {listener_id for _, _, listener_id in counted}
    found = sa.select(objects.c.id, objects.c.load_balancer_id).where(
        objects.c.kind == "listener", objects.c.id.in_(wanted)
    )
    owner_of = {row.id: row.load_balancer_id for row in connection.execute(found)}
    for key, value in counted.items():
        if key[2] in owner_of:
            _keep(connection, key, owner_of[key[2]], value)
    return {(owner_of[key[2]], key[0]) for key in counted if key[2] in owner_of}


def put(connection: sa.Connection, counted: Mapping[Key, Counted]) -> set[tuple[str, str]]:
    """Like `keep`, but figures replace those of before, also where they are less: who counted them says how much it is."""
    for amphora_id, boot_id, listener_id in counted:
        connection.execute(
            sa.delete(totals).where(
                totals.c.amphora_id == amphora_id,
                totals.c.boot_id == boot_id,
                totals.c.listener_id == listener_id,
            )
        )
    return keep(connection, counted)


def statistics(connection: sa.Connection, *, load_balancer_id: str, amphora_id: str) -> LoadBalancerStatistics | None:
    """Give what one amphora has done for a load balancer, None when nothing is known."""
    mine = (totals.c.load_balancer_id == load_balancer_id, totals.c.amphora_id == amphora_id)
    boots: dict[str, list[Counted]] = {}
    for row in connection.execute(sa.select(totals).where(*mine)):
        boots.setdefault(row.listener_id, []).append(_counted(row))
    if not boots:
        return None
    newest_at = max(boot.at for several in boots.values() for boot in several)
    return LoadBalancerStatistics(
        load_balancer_id=LoadBalancerId(load_balancer_id),
        amphora_id=AmphoraId(amphora_id),
        at=datetime.fromtimestamp(newest_at, UTC),
        listeners={ListenerId(key): traffic.total(several) for key, several in boots.items()},
    )


def everybody(connection: sa.Connection) -> set[tuple[str, str]]:
    """Give all (load balancer, amphora) pairs that have totals."""
    found = connection.execute(sa.select(totals.c.load_balancer_id, totals.c.amphora_id).distinct())
    return {(row.load_balancer_id, row.amphora_id) for row in found}


def _keep(connection: sa.Connection, key: Key, load_balancer_id: str, value: Counted) -> None:
    amphora_id, boot_id, listener_id = key
    same = (
        totals.c.amphora_id == amphora_id,
        totals.c.boot_id == boot_id,
        totals.c.listener_id == listener_id,
    )
    row = connection.execute(sa.select(totals).where(*same)).first()
    if row is None:
        identity = {"amphora_id": amphora_id, "boot_id": boot_id, "listener_id": listener_id}
        new = {**identity, "load_balancer_id": load_balancer_id, **_values(value)}
        connection.execute(sa.insert(totals).values(**new))
        return
    connection.execute(sa.update(totals).where(*same).values(**_values(traffic.merged(_counted(row), value))))


def _counted(row: sa.Row[tuple[object, ...]]) -> Counted:
    figures = {name: getattr(row, name) for name in ListenerTotals.__struct_fields__}
    return Counted(at=row.at, figures=ListenerTotals(**figures))


def _values(value: Counted) -> dict[str, object]:
    return {"at": value.at} | {name: getattr(value.figures, name) for name in ListenerTotals.__struct_fields__}
