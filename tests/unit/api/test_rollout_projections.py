"""What the operator API shows of rollouts, event by event."""

from datetime import timedelta
from typing import Any

import builders as a
from actium_api.operator import rollouts
from actium_shared.events import rollout as events
from actium_shared.ids import AmphoraId, ApplianceId, RolloutId
from actium_shared.rollouts import Replacement, Selection
from unit.api.given import START, ReadModel

ROLLOUT = RolloutId(a.an_id("rollout"))


def started(model: ReadModel) -> None:
    event = events.RolloutStarted(
        rollout_id=ROLLOUT,
        selection=Selection(image_tag="old"),
        wave_size=2,
        pause_between_s=60.0,
        max_failures=0,
        started_at=START,
        matching=3,
    )
    names = ("m1", "m2")
    ordered = tuple(
        Replacement(
            amphora_id=AmphoraId(name), appliance_id=ApplianceId(f"of-{name}"), image_tag="new", from_image_tag="old"
        )
        for name in names
    )
    due = START + timedelta(seconds=300)
    model.happened(
        event,
        events.ReplacementsOrdered(rollout_id=ROLLOUT, wave=1, replacements=ordered, deadline_at=due, left=1),
    )


def shown(model: ReadModel) -> dict[str, Any]:
    with model.database.engine.connect() as connection:
        (only,) = rollouts.listed(connection)
        assert rollouts.one(connection, ROLLOUT) == only
    return only


def counts(model: ReadModel) -> tuple[str, int, int, int, int]:
    one = shown(model)
    return one["status"], one["replaced"], len(one["under_way"]), one["remaining"], len(one["failed"])


def replaced(name: str) -> events.AmphoraReplaced:
    return events.AmphoraReplaced(
        rollout_id=ROLLOUT, amphora_id=AmphoraId(name), appliance_id=ApplianceId(f"of-{name}")
    )


def failed(name: str) -> events.ReplacementFailed:
    return events.ReplacementFailed(
        rollout_id=ROLLOUT,
        amphora_id=AmphoraId(name),
        appliance_id=ApplianceId(f"of-{name}"),
        image_tag="old",
        reason="no host left",
    )


def test_a_rollout_is_counted_from_its_start_to_its_pause_and_on() -> None:
    model = ReadModel()
    started(model)
    assert counts(model) == ("RUNNING", 0, 2, 1, 0)
    assert shown(model)["selection"] == {"image_tag": "old"}
    model.happened(replaced("m1"))
    assert counts(model) == ("RUNNING", 1, 1, 1, 0)
    end = START + timedelta(seconds=60)
    model.happened(
        failed("m2"),
        events.WaveEnded(rollout_id=ROLLOUT, wave=1, next_at=end),
        events.RolloutPaused(rollout_id=ROLLOUT, reason="1 could not be replaced"),
    )
    assert counts(model) == ("PAUSED", 1, 0, 1, 1)
    assert (shown(model)["reason"], shown(model)["next_wave_at"]) == ("1 could not be replaced", None)
    model.happened(events.RolloutResumed(rollout_id=ROLLOUT))
    assert counts(model) == ("RUNNING", 1, 0, 2, 0)
    model.happened(events.RolloutEnded(rollout_id=ROLLOUT, left=0))
    assert counts(model) == ("DONE", 1, 0, 0, 0)


def test_an_aborted_one_says_so_when_nothing_is_under_way() -> None:
    model = ReadModel()
    started(model)
    model.happened(events.RolloutAborted(rollout_id=ROLLOUT, reason="enough"))
    assert counts(model)[0] == "ABORTING"
    model.happened(replaced("m1"), replaced("m2"), events.RolloutEnded(rollout_id=ROLLOUT, left=1))
    assert counts(model) == ("ABORTED", 2, 0, 1, 0)
