"""Traffic totals at rest: one row per amphora, boot and listener. The only rows that no event can rebuild."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from actium_health import traffic
from actium_health.read_model.tables import objects, totals
from actium_health.traffic import Counted
from actium_shared import rows
from actium_shared.ids import AmphoraId, ListenerId, LoadBalancerId
from actium_shared.statistics import ListenerTotals, LoadBalancerStatistics

Key = tuple[str, str, str]
"""Amphora, boot, listener."""

CHUNK = 500
"""Listeners in one statement: databases bound the number of values."""

_NAMES = ListenerTotals.__struct_fields__


def keep(connection: sa.Connection, counted: Mapping[Key, Counted]) -> set[tuple[str, str]]:
    """
    Merge figures into the rows; give the (load balancer, amphora) pairs that they belong to.

    Those of listeners that do not exist (any more) are dropped.
    """
    by_listener: dict[str, dict[Key, Counted]] = {}
    for key, value in counted.items():
        by_listener.setdefault(key[2], {})[key] = value
    pairs: set[tuple[str, str]] = set()
    for listeners in _chunks(list(by_listener)):
        owner_of = _owners(connection, listeners)
        known = {key: value for each in owner_of for key, value in by_listener[each].items()}
        _keep(connection, known, owner_of)
        pairs |= {(owner_of[key[2]], key[0]) for key in known}
    return pairs


def put(connection: sa.Connection, counted: Mapping[Key, Counted]) -> set[tuple[str, str]]:
    """Like `keep`, but figures replace those of before, also where they are less: who counted them says how much it is."""
    for amphora_id, boot_id, listener_id in counted:
        rows.delete(connection, totals, amphora_id=amphora_id, boot_id=boot_id, listener_id=listener_id)
    return keep(connection, counted)


def restore(connection: sa.Connection, published: Iterable[LoadBalancerStatistics]) -> set[tuple[str, str]]:
    """Make rows of what was published, for (load balancer, amphora) pairs that have none; give those."""
    known = everybody(connection)
    counted: dict[Key, Counted] = {}
    for told in published:
        if (told.load_balancer_id, told.amphora_id) in known:
            continue
        counted.update(_boots(told))
    return keep(connection, counted)


def statistics(connection: sa.Connection, *, load_balancer_id: str, amphora_id: str) -> LoadBalancerStatistics | None:
    """Give what one amphora has done for a load balancer, None when nothing is known."""
    found = rows.find(connection, totals, load_balancer_id=load_balancer_id, amphora_id=amphora_id).all()
    if not found:
        return None
    newest = max(found, key=lambda row: row.at)
    boots: dict[ListenerId, list[Counted]] = {}
    earlier: dict[str, dict[ListenerId, ListenerTotals]] = {}
    for row in found:
        boots.setdefault(row.listener_id, []).append(_counted(row))
        if row.boot_id != newest.boot_id:
            earlier.setdefault(row.boot_id, {})[row.listener_id] = _counted(row).figures
    return LoadBalancerStatistics(
        load_balancer_id=LoadBalancerId(load_balancer_id),
        amphora_id=AmphoraId(amphora_id),
        at=datetime.fromtimestamp(newest.at, UTC),
        listeners={key: traffic.total(several) for key, several in boots.items()},
        boot_id=newest.boot_id,
        earlier=earlier,
    )


def all_of(connection: sa.Connection, *, load_balancer_id: str) -> list[LoadBalancerStatistics]:
    """Give what each amphora has done for a load balancer."""
    found = rows.find(connection, totals, totals.c.amphora_id, load_balancer_id=load_balancer_id)
    told = (
        statistics(connection, load_balancer_id=load_balancer_id, amphora_id=amphora_id)
        for amphora_id in sorted(set(found.scalars()))
    )
    return [each for each in told if each is not None]


def everybody(connection: sa.Connection) -> set[tuple[str, str]]:
    """Give all (load balancer, amphora) pairs that have totals."""
    found = connection.execute(sa.select(totals.c.load_balancer_id, totals.c.amphora_id).distinct())
    return {(row.load_balancer_id, row.amphora_id) for row in found}


def _chunks(listeners: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(listeners), CHUNK):
        yield listeners[start : start + CHUNK]


def _owners(connection: sa.Connection, listeners: Collection[str]) -> dict[str, str]:
    found = connection.execute(_OWNERS, {"wanted": listeners})
    return {row.id: row.load_balancer_id for row in found}


def _keep(connection: sa.Connection, counted: Mapping[Key, Counted], owner_of: Mapping[str, str]) -> None:
    found = connection.execute(_ROWS, {"wanted": list(owner_of)})
    there = {(row.amphora_id, row.boot_id, row.listener_id): _counted(row) for row in found}
    new, changed = [], []
    for key, value in counted.items():
        if (before := there.get(key)) is None:
            identity = dict(zip(("amphora_id", "boot_id", "listener_id"), key, strict=True))
            new.append({**identity, "load_balancer_id": owner_of[key[2]], **_values(value)})
        else:
            of = dict(zip(("of_amphora", "of_boot", "of_listener"), key, strict=True))
            changed.append({**of, **_values(traffic.merged(before, value))})
    rows.insert(connection, totals, new)
    if changed:
        connection.execute(_CHANGE, changed)


def _boots(told: LoadBalancerStatistics) -> Iterator[tuple[Key, Counted]]:
    """Give what each boot counted; of the newest one, what the others leave."""
    for boot_id, listeners in told.earlier.items():
        for listener_id, figures in listeners.items():
            yield (told.amphora_id, boot_id, listener_id), Counted(at=0.0, figures=figures)
    for listener_id, whole in told.listeners.items():
        others = [listeners[listener_id] for listeners in told.earlier.values() if listener_id in listeners]
        left = {name: max(0, getattr(whole, name) - sum(getattr(each, name) for each in others)) for name in _NAMES}
        figures = ListenerTotals(**left | {"active_connections": whole.active_connections})
        yield (told.amphora_id, told.boot_id, listener_id), Counted(at=told.at.timestamp(), figures=figures)


def _counted(row: sa.Row[tuple[object, ...]]) -> Counted:
    figures = {name: getattr(row, name) for name in _NAMES}
    return Counted(at=row.at, figures=ListenerTotals(**figures))


def _values(value: Counted) -> dict[str, object]:
    return {"at": value.at} | {name: getattr(value.figures, name) for name in _NAMES}


_OWNERS = sa.select(objects.c.id, objects.c.load_balancer_id).where(
    objects.c.kind == "listener", objects.c.id.in_(sa.bindparam("wanted", expanding=True))
)
_ROWS = sa.select(totals).where(totals.c.listener_id.in_(sa.bindparam("wanted", expanding=True)))
_CHANGE = (
    sa.update(totals)
    .where(
        totals.c.amphora_id == sa.bindparam("of_amphora"),
        totals.c.boot_id == sa.bindparam("of_boot"),
        totals.c.listener_id == sa.bindparam("of_listener"),
    )
    .values({name: sa.bindparam(name) for name in ("at", *_NAMES)})
)
