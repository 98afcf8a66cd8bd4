"""
From commits to rows: one function, `project`, for all streams; touches nothing but the connection.

Positions move in the same transaction. Which event does what: `load_balancer_events`, `catalogue_events`, `fleet_events`; here are the
frame and the operating statuses.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from actium_api.read_model import (
    catalogue_events,
    fleet_events,
    load_balancer_events,
    rollout_events,
    secrets_kept,
    statements,
)
from actium_api.read_model.rows import Rows, seconds
from actium_api.read_model.tables import LISTENERS, LOAD_BALANCERS, MEMBERS, POOLS
from actium_shared.event_store import Recorded
from actium_shared.events import EVENTS, dead_letter
from actium_shared.events.health import OperatingStatusChanged, StatusChange
from actium_shared.message import Event
from actium_shared.read_model import Positions
from actium_shared.streams import events_of

PLANNER = events_of("planner")

_STATUS_TABLES = {"loadbalancer": LOAD_BALANCERS, "listener": LISTENERS, "pool": POOLS, "member": MEMBERS}

READS: tuple[type[Event], ...] = tuple(event for event in EVENTS if event not in dead_letter.EVENTS)
"""The events that this service understands: its log shows them all, and most of them change a read model."""


def project(connection: sa.Connection, commits: Sequence[Recorded], positions: Positions) -> None:
    """Bring the rows up to date with these commits of one stream, which follow each other."""
    rows = Rows(connection)
    for recorded in commits:
        _project_one(rows, recorded)
    rows.render()
    positions.record(connection, commits[-1].position)


def _project_one(rows: Rows, recorded: Recorded) -> None:
    match recorded.aggregate:
        case "loadbalancer":
            load_balancer_events.apply(rows, recorded)
        case "health":
            _apply_statuses(rows, recorded)
        case "catalogue" | "project":
            catalogue_events.apply(rows, recorded)
        case "rollout":
            rollout_events.apply(rows, recorded)
        case "secret":
            secrets_kept.apply(rows, recorded)
        case _:
            fleet_events.apply(rows, recorded)


def _apply_statuses(rows: Rows, recorded: Recorded) -> None:
    """
    Take over operating statuses as health saw them.

    Where the planner's own events set a status later than the position that health had read, that newer word stays:
    so the order in which the two streams arrive does not matter.
    """
    known = recorded.commit.reads.get(PLANNER)
    at = seconds(recorded.commit.decided_at)
    for event in recorded.commit.events:
        if isinstance(event, OperatingStatusChanged):
            for change in event.changes:
                _apply_status(rows, event.load_balancer_id, change, known=known, at=at)


def _apply_status(rows: Rows, load_balancer_id: str, change: StatusChange, *, known: int | None, at: str) -> None:
    table = _STATUS_TABLES.get(change.kind)
    if table is None:  # a kind that a newer health service speaks of
        return
    query = statements.set_operating_status(table, only_known=known is not None)
    found_by = {"key": change.id, "owner": load_balancer_id} | ({} if known is None else {"known": known})
    values = {"operating_status": change.operating_status, "operating_changed_at": at}
    if rows.connection.execute(query, found_by | values).rowcount:
        rows.touch(table, [change.id])
