"""Bodies to pictures."""

from typing import Any

import pytest

from actium_health.report import Parts, Report, from_beat, with_edges
from actium_shared.errors import PermanentError
from actium_shared.heartbeat import split
from builders import LISTENER, MEMBER, POOL
from unit.health.given import beat, edge


def picture(**fields: Any) -> Report:
    return from_beat(beat(**fields), None)


def test_a_beat_is_settled_when_the_one_before_told_of_the_same() -> None:
    first = from_beat(beat(), None)
    again = from_beat(beat(member="DOWN"), first)
    assert (first.settled, again.settled) == (False, True)
    assert not from_beat(beat(bundle=2), again).settled
    assert not from_beat(beat(listeners={}), again).settled


def test_an_edge_changes_the_member_and_what_follows_for_its_pool() -> None:
    changed = with_edges(picture(), edge("DOWN"))
    assert changed.pools[POOL].members == {MEMBER: "DOWN"}
    assert changed.pools[POOL].status == "DOWN"
    assert with_edges(changed, edge("UP")).pools == picture().pools


def test_the_reason_of_an_edge_stays_as_long_as_its_word_is_true() -> None:
    down = with_edges(picture(), edge("DOWN", "Layer4 timeout"))
    still = from_beat(beat(member="DOWN"), down)
    assert still.reasons == {MEMBER: "Layer4 timeout"}
    assert from_beat(beat(member="UP"), still).reasons == {}


def test_an_edge_of_an_unknown_pool_or_kind_changes_nothing() -> None:
    body = {
        "edges": [
            {"kind": "member", "id": "m", "pool_id": "?", "status": "UP"},
            {"kind": "new", "id": "", "status": ""},
        ]
    }
    assert with_edges(picture(), body) == picture()


def test_a_beat_in_parts_is_the_same_picture() -> None:
    members = {f"member-{number}": "UP" for number in range(200)}
    body = beat(pools={POOL: {"status": "UP", "members": members}})
    parts, cut = Parts(), split(body, limit_bytes=3_000)
    assert len(cut) > 2
    *nothing, whole = [parts.add(part) for part in cut]
    assert nothing == [None] * (len(cut) - 1)
    assert whole is not None
    assert from_beat(whole, None) == from_beat(body, None)


def test_a_lost_part_spoils_only_its_own_beat() -> None:
    cut = split(beat(pools={f"pool-{n}": {"status": "UP", "members": {}} for n in range(100)}), limit_bytes=3_000)
    parts = Parts()
    assert [parts.add(part) for part in cut[:1] + cut[2:]] == [None] * (len(cut) - 1)
    assert [parts.add(part) is not None for part in cut][-1]


@pytest.mark.parametrize(
    "wrong", [{"pools": None}, {"listeners": {LISTENER: {}}}, {"bundle": "x"}, {"pools": {POOL: {"status": "UP"}}}]
)
def test_a_body_that_is_no_beats_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        picture(**wrong)


@pytest.mark.parametrize("body", [{}, {"edges": 7}, {"edges": [{}]}, {"edges": ["x"]}])
def test_a_body_that_is_no_edges_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        with_edges(picture(), body)


@pytest.mark.parametrize("part", ["x", [1], [None, 2], 7])
def test_a_part_that_is_no_part_is_refused(part: object) -> None:
    with pytest.raises(PermanentError):
        Parts().add(beat(part=part))
