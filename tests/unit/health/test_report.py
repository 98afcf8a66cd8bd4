"""Bodies to pictures."""

from typing import Any

import msgpack
import pytest

from actium_health.report import Beat, Edge, Parts, Report, from_beat, read_beat, read_edges, with_edges
from actium_shared.errors import PermanentError
from actium_shared.heartbeat import split
from builders import LISTENER, MEMBER, POOL
from unit.health.given import beat, edge


def read(body: dict[str, Any]) -> Beat:
    return read_beat(msgpack.packb(body))


def told(**fields: Any) -> Beat:
    return read(beat(**fields))


def edges(status: str, reason: str = "Layer4 timeout") -> tuple[Edge, ...]:
    return read_edges(msgpack.packb(edge(status, reason)))


def picture(**fields: Any) -> Report:
    return from_beat(told(**fields), None)


def test_a_beat_is_settled_when_the_one_before_told_of_the_same() -> None:
    first = from_beat(told(), None)
    again = from_beat(told(member="DOWN"), first)
    assert (first.settled, again.settled) == (False, True)
    assert not from_beat(told(bundle=2), again).settled
    assert not from_beat(told(listeners={}), again).settled


def test_a_beat_that_says_nothing_new_is_the_same_picture_itself() -> None:
    settled = from_beat(told(), picture())
    assert from_beat(told(bytes_in=700), settled) is settled
    assert from_beat(told(role="FAULT"), settled).role == "FAULT"


def test_an_edge_changes_the_member_and_what_follows_for_its_pool() -> None:
    changed = with_edges(picture(), edges("DOWN"))
    assert changed.pools[POOL].members == {MEMBER: "DOWN"}
    assert changed.pools[POOL].status == "DOWN"
    assert with_edges(changed, edges("UP")).pools == picture().pools


def test_the_reason_of_an_edge_stays_as_long_as_its_word_is_true() -> None:
    down = with_edges(picture(), edges("DOWN", "Layer4 timeout"))
    still = from_beat(told(member="DOWN"), down)
    assert still.reasons == {MEMBER: "Layer4 timeout"}
    assert from_beat(told(member="UP"), still).reasons == {}


def test_an_edge_of_an_unknown_pool_or_kind_changes_nothing() -> None:
    body = {
        "edges": [
            {"kind": "member", "id": "m", "pool_id": "?", "status": "UP"},
            {"kind": "new", "id": "", "status": ""},
        ]
    }
    assert with_edges(picture(), read_edges(msgpack.packb(body))) == picture()


def test_a_beat_in_parts_is_the_same_picture() -> None:
    members = {f"member-{number}": "UP" for number in range(200)}
    body = beat(pools={POOL: {"status": "UP", "members": members}})
    parts, cut = Parts(), split(body, limit_bytes=3_000)
    assert len(cut) > 2
    *nothing, whole = [parts.add(read(part)) for part in cut]
    assert nothing == [None] * (len(cut) - 1)
    assert whole is not None
    assert from_beat(whole, None) == from_beat(read(body), None)


def test_a_lost_part_spoils_only_its_own_beat() -> None:
    cut = split(beat(pools={f"pool-{n}": {"status": "UP", "members": {}} for n in range(100)}), limit_bytes=3_000)
    parts = Parts()
    assert [parts.add(read(part)) for part in cut[:1] + cut[2:]] == [None] * (len(cut) - 1)
    assert [parts.add(read(part)) is not None for part in cut][-1]


@pytest.mark.parametrize(
    "wrong", [{"pools": None}, {"listeners": {LISTENER: {}}}, {"bundle": "x"}, {"pools": {POOL: {"status": "UP"}}}]
)
def test_a_body_that_is_no_beats_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        picture(**wrong)


@pytest.mark.parametrize("body", [{}, {"edges": 7}, {"edges": [{}]}, {"edges": ["x"]}])
def test_a_body_that_is_no_edges_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        read_edges(msgpack.packb(body))


@pytest.mark.parametrize("part", ["x", [1], [None, 2], 7])
def test_a_part_that_is_no_part_is_refused(part: object) -> None:
    with pytest.raises(PermanentError):
        told(part=part)


def test_what_became_of_logs_is_read_where_it_is_told_and_has_bounds() -> None:
    assert told().logs is None
    assert told(logs=None).logs is None
    logs = told(logs={"shipped": 5, "lost": {"full": 2}}).logs
    assert logs is not None
    assert (logs.shipped, logs.lost) == (5, {"full": 2})
    for wrong in ({"shipped": -1}, {"lost": {"full": 2**63}}, {"lost": {f"reason {n}": 1 for n in range(17)}}, []):
        with pytest.raises(PermanentError):
            told(logs=wrong)


def test_of_a_beat_in_parts_the_figures_of_logs_are_not_added_up() -> None:
    body = beat(logs={"shipped": 5, "lost": {}}) | {"pools": {}}
    body["listeners"] = {f"listener-{n}": next(iter(body["listeners"].values())) for n in range(100)}
    parts = Parts()
    wholes = [parts.add(read(part)) for part in split(body, limit_bytes=8_000)]
    assert len(wholes) > 1
    assert wholes[-1] is not None
    assert wholes[-1].logs == told(logs={"shipped": 5}).logs
