"""The wire format between amphora and relay: what is packed comes back. What is refused: tests/unit/health/test_keys.py."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actium_shared.heartbeat import (
    DATAGRAM_LIMIT_BYTES,
    BadSignature,
    Freshness,
    Heartbeat,
    pack,
    split,
)
from actium_shared.testing.datagrams import key_version, verify

KEY = bytes(range(32))
texts = st.text(min_size=1, max_size=40)
beats = st.builds(
    Heartbeat,
    amphora_id=texts,
    key_version=st.integers(0, 2**31),
    boot_id=texts,
    counter=st.integers(0, 2**63),
    at=st.floats(0, 4e9),
    kind=st.sampled_from(["beat", "edge", "farewell"]),
    body=st.dictionaries(texts, st.one_of(st.none(), st.integers(0, 2**40), texts), max_size=5),
)


def beat(**changes: Any) -> Heartbeat:
    made = Heartbeat(amphora_id="a", key_version=1, boot_id="b", counter=1, at=1000.0, kind="beat", body={})
    return replace(made, **changes)


@given(beats, st.binary(min_size=16, max_size=64))
def test_what_is_packed_comes_back(made, key):
    datagram = pack(made, key)
    assert verify(datagram, key) == made
    assert key_version(datagram) == made.key_version


@given(beats, st.binary(min_size=32, max_size=32))
def test_another_key_is_refused(made, key):
    assume(key != KEY)
    with pytest.raises(BadSignature):
        verify(pack(made, KEY), key)


def test_too_large_a_body_is_refused_when_packed():
    with pytest.raises(ValueError, match="split"):
        pack(beat(body={"x": "y" * DATAGRAM_LIMIT_BYTES}), KEY)


ids = st.integers(0, 10_000).map(lambda n: f"{n:036}")
pools = st.dictionaries(ids, st.tuples(st.sampled_from(["UP", "DOWN"]), st.integers(0, 60)), max_size=8)


@given(pools, st.integers(0, 40), st.integers(3_000, 20_000))
def test_parts_fit_and_hold_the_whole(pools, listeners, limit):
    body = {
        "bundle": 7,
        "drift": None,
        "listeners": {f"l{n:035}": {"status": "OPEN", "bytes_in": n} for n in range(listeners)},
        "pools": {
            pool: {"status": status, "members": {f"{pool[:30]}{n:06}": "UP" for n in range(count)}}
            for pool, (status, count) in pools.items()
        },
    }
    parts = split(body, limit_bytes=limit)
    merged: dict[str, Any] = {"listeners": {}, "pools": {}}
    for index, part in enumerate(parts):
        assert len(pack(beat(body=part), KEY)) <= limit
        assert part["bundle"] == 7
        assert ("part" in part) == (len(parts) > 1)
        assert part.get("part", [0, 1]) == [index, len(parts)]
        merged["listeners"] |= part["listeners"]
        for pool, content in part["pools"].items():
            known = merged["pools"].setdefault(pool, {"status": content["status"], "members": {}})
            known["members"] |= content["members"]
    assert merged == {name: body[name] for name in ("listeners", "pools")}


def test_counters_in_order_are_fresh_and_each_only_once():
    freshness = Freshness(limit_s=30)
    assert [freshness.refusal(beat(counter=n), now=1000) for n in (1, 2, 5)] == [None, None, None]
    assert [freshness.refusal(beat(counter=n), now=1000) for n in (1, 2, 5)] == ["replayed"] * 3


def test_overtaken_datagram_is_told_from_a_replayed_one():
    freshness = Freshness(limit_s=30)
    freshness.refusal(beat(counter=1), now=1000)
    freshness.refusal(beat(counter=3), now=1000)
    assert freshness.refusal(beat(counter=2), now=1000) == "overtaken"
    assert freshness.refusal(beat(counter=2), now=1000) == "replayed"


@pytest.mark.parametrize("at", [969.9, 1030.1, math.nan, math.inf])
def test_datagram_out_of_its_time_is_stale(at):
    assert Freshness(limit_s=30).refusal(beat(at=at), now=1000) == "stale"


def test_new_boot_is_believed_and_the_old_one_never_again():
    freshness = Freshness(limit_s=30)
    assert freshness.refusal(beat(counter=50), now=1000) is None
    assert freshness.refusal(beat(boot_id="c", counter=1, at=999.0), now=1000) == "other boot"
    assert freshness.refusal(beat(boot_id="c", counter=1, at=1001.0), now=1001) is None
    assert freshness.refusal(beat(counter=51, at=1002.0), now=1002) == "other boot"
    assert freshness.refusal(beat(boot_id="c", counter=2, at=1002.0), now=1002) is None


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 200), st.floats(990, 1010)), max_size=60))
def test_no_datagram_is_ever_believed_twice(sent):
    freshness = Freshness(limit_s=30)
    believed = [
        (boot, counter)
        for boot, counter, at in sent
        if freshness.refusal(beat(boot_id=boot, counter=counter, at=at), now=1000) is None
    ]
    assert len(believed) == len(set(believed))
    for boot in "xyz":
        counters = [counter for named, counter in believed if named == boot]
        assert counters == sorted(counters)
