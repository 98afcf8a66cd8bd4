"""A read model in memory, and commits to put into it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import queries
from actium_api.read_model.projections import project
from actium_api.read_model.tables import METADATA, POSITIONS
from actium_shared.envelope import Envelope
from actium_shared.event_store import Recorded
from actium_shared.events.catalogue import CATALOGUE_ID, CatalogueEvent
from actium_shared.events.project import ProjectEvent
from actium_shared.message import Commit, Event, Position, WorkCause
from actium_shared.read_model import Database, Positions
from actium_shared.streams import event_subject, events_of

START = datetime(2026, 11, 22, 6, 0, 0, 500_000, tzinfo=UTC)


def recorded(
    owner: str,
    aggregate: str,
    aggregate_id: str,
    events: Iterable[Event],
    *,
    sequence: int,
    at: datetime = START,
    reads: Mapping[str, int] | None = None,
) -> Recorded:
    """Give a commit as a feed delivers it."""
    commit = Commit(
        id=f"{owner}-{sequence}",
        events=tuple(events),
        cause=WorkCause(order_id="test"),
        decided_at=at,
        reads=dict(reads or {}),
    )
    envelope = Envelope(id=commit.id, type="actium.commit", version=1, source="/test", time=at, correlation_id="test")
    return Recorded(
        commit=commit,
        envelope=envelope,
        subject=event_subject(owner, aggregate, aggregate_id),
        position=Position(events_of(owner), sequence),
        stored_at=at,
    )


class ReadModel:
    """The API's tables in memory; commits of one kind after the other, a second apart."""

    def __init__(self) -> None:
        self.database = Database("sqlite://")
        METADATA.create_all(self.database.engine)
        self.positions = Positions(POSITIONS)
        self._sequences: dict[str, int] = {}

    def take(self, commits: Sequence[Recorded]) -> None:
        """Project these commits of one stream together."""
        with self.database.engine.begin() as connection:
            project(connection, commits, self.positions)

    def happened(self, *events: Event, owner: str = "planner", **more: Any) -> int:
        """Project one commit with these events; give its sequence."""
        sequence = self._sequences.get(owner, 0) + 1
        self._sequences[owner] = sequence
        aggregate, aggregate_id = about(events[0])
        at = START + timedelta(seconds=sum(self._sequences.values()))
        self.take([recorded(owner, aggregate, aggregate_id, events, sequence=sequence, at=at, **more)])
        return sequence

    def show(self, table: sa.Table, row_id: str) -> dict[str, Any]:
        """Give what the API shows of one resource."""
        with self.database.engine.connect() as connection:
            body = queries.body(connection, table, row_id)
        assert body is not None, f"nothing in {table.name} with id {row_id}"
        document: dict[str, Any] = msgspec.json.decode(body)
        return document

    def has(self, table: sa.Table, row_id: str) -> bool:
        with self.database.engine.connect() as connection:
            return queries.body(connection, table, row_id) is not None

    def contents(self) -> dict[str, list[dict[str, Any]]]:
        """Give every row of every table."""
        with self.database.engine.connect() as connection:
            return {
                table.name: sorted(
                    (dict(row) for row in connection.execute(sa.select(table)).mappings()),
                    key=lambda row: [str(row[column.name]) for column in table.primary_key],
                )
                for table in METADATA.sorted_tables
            }


KINDS = {
    "appliance": "appliance_id",
    "amphora": "amphora_id",
    "health": "load_balancer_id",
    "liveness": "amphora_id",
    "port": "amphora_id",
    "secret": "secret_ref",
    "spares": "spares_id",
    "rollout": "rollout_id",
}


def about(event: Event) -> tuple[str, str]:
    """Give the aggregate that an event is about, and its id."""
    kind = event.TYPE.partition(".")[0]
    if kind in KINDS:
        return kind, getattr(event, KINDS[kind])
    if kind == "network":
        return kind, "network"
    if isinstance(event, CatalogueEvent):
        return "catalogue", CATALOGUE_ID
    if isinstance(event, ProjectEvent):
        return "project", event.project_id
    load_balancer_id: str = event.load_balancer_id  # type: ignore[attr-defined]
    return ("vip" if kind == "vip" else "loadbalancer"), load_balancer_id
