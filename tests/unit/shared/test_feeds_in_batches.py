"""Which commits of a feed are handled together."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from actium_shared.bus import Bus, Delivery
from actium_shared.clock import SystemClock
from actium_shared.codec import CODEC
from actium_shared.event_store import Recorded, commit_envelope
from actium_shared.events.network import VipReleased
from actium_shared.ids import LoadBalancerId
from actium_shared.message import ClockCause, Commit
from actium_shared.service import FeedState, Service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAUSE_S = 0.5


def delivery(sequence: int, *, pending: int) -> Delivery:
    event = VipReleased(load_balancer_id=LoadBalancerId("lb"), reason="lapsed")
    commit = Commit(id=f"c{sequence}", events=(event,), cause=ClockCause(deadline=NOW), decided_at=NOW)
    return Delivery(
        subject="evt.network.vip.lb",
        body=CODEC.encode_commit(commit),
        headers=commit_envelope(commit, source="network", correlation_id="c").to_headers(),
        stream="EVENTS_NETWORK",
        sequence=sequence,
        pending=pending,
        delivery_count=1,
        time=NOW,
        acknowledge=cast("Any", None),
        still_busy=cast("Any", None),
    )


class Log:
    """A bus that delivers this and ends."""

    def __init__(self, *deliveries: Delivery) -> None:
        self._deliveries = deliveries

    async def feed(self, _stream: str, **_where: Any) -> AsyncIterator[Delivery]:
        for each in self._deliveries:
            yield each


class Patient(SystemClock):
    """Time that passes as soon as somebody waits for it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_what_is_there_is_handled_together_and_nothing_passes_what_waits() -> None:
    clock, handled, asked = Patient(), list[list[int]](), list[int]()

    async def handle(batch: Sequence[Recorded]) -> None:
        handled.append([item.position.sequence for item in batch])

    def passes(what: Delivery) -> bool:
        asked.append(what.sequence)
        return what.sequence in (2, 4)

    log = Log(*(delivery(sequence, pending=pending) for sequence, pending in ((1, 2), (2, 1), (3, 0), (4, 0), (5, 0))))
    state = FeedState("EVENTS_NETWORK", 0)
    service = Service("network", cast("Bus", log), clock)
    await service._run_feed(state, handle, most=10, passes=passes, pause_s=PAUSE_S)
    assert handled == [[1, 2, 3], [5]]
    assert asked == [1, 4, 5], "2 came behind one that waits: to pass it would say that the rows contain both"
    assert clock.slept == [PAUSE_S, PAUSE_S]
    assert state.position == 5


async def test_a_backlog_is_handled_without_a_pause_in_batches_of_limited_size() -> None:
    clock, handled = Patient(), list[int]()

    async def handle(batch: Sequence[Recorded]) -> None:
        handled.append(len(batch))

    log = Log(*(delivery(number, pending=5 - number) for number in range(1, 6)))
    service = Service("network", cast("Bus", log), clock)
    await service._run_feed(
        FeedState("EVENTS_NETWORK", 0), handle, most=2, passes=lambda _delivery: False, pause_s=PAUSE_S
    )
    assert handled == [2, 2, 1]
    assert clock.slept == [PAUSE_S]
