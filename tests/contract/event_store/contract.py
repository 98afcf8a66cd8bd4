"""What every event store promises; the one in memory and the one on JetStream both run it."""

import asyncio
from datetime import UTC, datetime

import pytest

from actium_shared import streams
from actium_shared.errors import VersionConflictError
from actium_shared.event_store import EventStore, commit_envelope
from actium_shared.events.network import VipReleased
from actium_shared.ids import LoadBalancerId, RandomIds
from actium_shared.message import ClockCause, Commit, Position

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = "EVENTS_NETWORK"


def commit(name: str) -> Commit:
    return Commit(
        id=RandomIds().new(),
        events=(VipReleased(load_balancer_id=LoadBalancerId(name), reason="lapsed"),),
        cause=ClockCause(deadline=NOW),
        decided_at=NOW,
        reads={"EVENTS_PLANNER": 3},
    )


async def append(store: EventStore, what: Commit, expected: int, name: str) -> Position:
    envelope = commit_envelope(what, source="network", correlation_id="c")
    return await store.append(streams.event_subject("network", "vip", name), what, expected=expected, envelope=envelope)


class EventStoreContract:
    async def test_commits_are_read_back_in_order(self, store: EventStore) -> None:
        name = RandomIds().new()
        first = await append(store, one := commit(name), 0, name)
        second = await append(store, two := commit(name), first.sequence, name)
        read = [item async for item in store.read(STREAM, after=first.sequence - 1)]
        assert [(item.commit, item.position) for item in read] == [(one, first), (two, second)]
        assert [item async for item in store.read(STREAM, after=second.sequence)] == []

    async def test_a_stale_writer_is_refused_and_writes_nothing(self, store: EventStore) -> None:
        name = RandomIds().new()
        position = await append(store, commit(name), 0, name)
        with pytest.raises(VersionConflictError):
            await append(store, commit(name), 0, name)
        assert [item async for item in store.read(STREAM, after=position.sequence)] == []

    async def test_the_same_commit_again_is_recognised(self, store: EventStore) -> None:
        name = RandomIds().new()
        position = await append(store, what := commit(name), 0, name)
        assert await append(store, what, 0, name) == position

    async def test_reading_can_be_narrowed_to_one_aggregate(self, store: EventStore) -> None:
        name, other = RandomIds().new(), RandomIds().new()
        await append(store, commit(other), 0, other)
        await append(store, what := commit(name), 0, name)
        subject = streams.event_subject("network", "vip", name)
        assert [item.commit async for item in store.read(STREAM, after=0, subjects=(subject,))] == [what]

    async def test_a_follower_sees_what_comes_later(self, store: EventStore) -> None:
        name = RandomIds().new()
        first = await append(store, commit(name), 0, name)
        follower = store.follow(STREAM, after=first.sequence)
        coming = asyncio.ensure_future(anext(follower))
        second = await append(store, what := commit(name), first.sequence, name)
        item = await asyncio.wait_for(coming, 5)
        assert (item.commit, item.position) == (what, second)
        await follower.aclose()  # type: ignore[attr-defined]
