"""What the events of rollouts do to their rows."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.rows import Rows, seconds
from actium_api.read_model.tables import ROLLOUTS
from actium_shared.event_store import Recorded
from actium_shared.events import rollout as events
from actium_shared.message import Event

RUNNING, PAUSED, ABORTING, ABORTED, DONE = "RUNNING", "PAUSED", "ABORTING", "ABORTED", "DONE"
"""`ABORTING` while something is under way; `DONE` with all that it was about, less those that failed."""


def apply(rows: Rows, recorded: Recorded) -> None:
    """Change the row of the rollout as this commit says."""
    at = seconds(recorded.commit.decided_at)
    for event in recorded.commit.events:
        if isinstance(event, events.RolloutStarted):
            _insert(rows, event, sequence=recorded.position.sequence)
            continue
        row = rows.connection.execute(sa.select(ROLLOUTS).where(ROLLOUTS.c.id == recorded.aggregate_id)).mappings()
        before = row.one_or_none()
        if before is not None:
            rows.update(ROLLOUTS, recorded.aggregate_id, changed_at=at, **_changes(event, before))


def _insert(rows: Rows, event: events.RolloutStarted, *, sequence: int) -> None:
    plain = ("to_image_tag", "wave_size", "pause_between_s", "max_failures")
    values = {
        **{name: getattr(event, name) for name in plain},
        "id": event.rollout_id,
        "started": sequence,
        "status": RUNNING,
        "reason": None,
        "selection": {name: value for name, value in msgspec.to_builtins(event.selection).items() if value is not None},
        "wave": 0,
        "replaced": 0,
        "remaining": event.matching,
        "under_way": [],
        "failed": [],
        "started_at": seconds(event.started_at),
        "changed_at": seconds(event.started_at),
        "next_wave_at": None,
    }
    rows.connection.execute(statements.insert(ROLLOUTS), values)


def _changes(event: Event, before: sa.RowMapping | Mapping[str, Any]) -> Mapping[str, object]:
    match event:
        case events.ReplacementsOrdered(wave=wave, replacements=ordered, left=left, deadline_at=deadline_at):
            due = {"deadline_at": seconds(deadline_at)}
            under_way = [msgspec.to_builtins(each) | due for each in ordered]
            return {"wave": wave, "under_way": under_way, "remaining": left, "next_wave_at": None}
        case events.AmphoraReplaced(amphora_id=amphora_id):
            return {"replaced": before["replaced"] + 1, "under_way": _without(before, amphora_id)}
        case events.ReplacementFailed(amphora_id=amphora_id, appliance_id=appliance_id, reason=reason):
            failure = {"amphora_id": amphora_id, "appliance_id": appliance_id, "reason": reason}
            return {"failed": [*before["failed"], failure], "under_way": _without(before, amphora_id)}
        case events.WaveEnded(next_at=next_at):
            return {"next_wave_at": seconds(next_at)}
        case events.RolloutPaused(reason=reason):
            return {"status": PAUSED, "reason": reason, "next_wave_at": None}
        case events.RolloutResumed():
            again = before["remaining"] + len(before["failed"])
            return {"status": RUNNING, "reason": None, "failed": [], "remaining": again}
        case events.RolloutAborted(reason=reason):
            return {"status": ABORTING, "reason": reason, "next_wave_at": None}
        case events.RolloutEnded(left=left):
            status = ABORTED if before["status"] == ABORTING else DONE
            return {"status": status, "remaining": left, "next_wave_at": None}
        case _:
            return {}


def _without(before: sa.RowMapping | Mapping[str, Any], amphora_id: str) -> list[Any]:
    return [each for each in before["under_way"] if each["amphora_id"] != amphora_id]
