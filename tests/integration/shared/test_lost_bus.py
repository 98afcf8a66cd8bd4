"""What the connection does when the bus goes away, closes it, or forbids something: nothing late, nothing silent."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actium_shared import streams
from actium_shared.bus import Bus, Delivery
from actium_shared.commands.compute import DeleteAmphora
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.event_store import JetStreamEventStore, commit_envelope
from actium_shared.events.network import VipReleased
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, RandomIds, partition
from actium_shared.message import ClockCause, Commit, Position
from actium_shared.service import Service
from actium_shared.testing.nats_server import NatsServer

DEADLINE_S = 15.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


async def append(bus: Bus, *, deadline: float | None = None, expected: int = 0) -> Position:
    commit = Commit(
        id=RandomIds().new(),
        events=(VipReleased(load_balancer_id=LoadBalancerId("a"), reason="lapsed"),),
        cause=ClockCause(deadline=NOW),
        decided_at=NOW,
    )
    envelope = commit_envelope(commit, source="network", correlation_id="c")
    subject = streams.event_subject("network", "vip", "a")
    return await JetStreamEventStore(bus).append(
        subject, commit, expected=expected, envelope=envelope, deadline=deadline
    )


async def back(bus: Bus) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await bus.last_sequence("EVENTS_NETWORK")
                return
            except RetryableError:
                await asyncio.sleep(0.05)


async def test_an_append_that_was_given_up_is_not_on_the_log_later(nats: NatsServer) -> None:
    async with nats.bus("network") as network:
        nats.kill()
        with pytest.raises(RetryableError):
            await append(network, deadline=time.monotonic() + 0.5)
        nats.start()
        await back(network)
        await network.flush()
        assert await network.last_sequence("EVENTS_NETWORK") == 0


async def test_nothing_is_appended_after_the_deadline(nats: NatsServer) -> None:
    async with nats.bus("network") as network:
        with pytest.raises(RetryableError, match="the deadline was over"):
            await append(network, deadline=time.monotonic() - 1)
        assert await network.last_sequence("EVENTS_NETWORK") == 0


async def test_reading_to_the_end_gives_up_while_the_bus_is_away(nats: NatsServer) -> None:
    async with nats.bus("network") as network:
        await append(network)
        nats.kill()
        with pytest.raises(RetryableError, match="EVENTS_NETWORK"):
            _ = [item async for item in JetStreamEventStore(network).read("EVENTS_NETWORK", after=0, timeout_s=0.5)]
        nats.start()
        await back(network)


async def test_a_worker_that_cannot_acknowledge_goes_on_when_the_bus_is_back(nats: NatsServer) -> None:
    async with nats.bus("planner") as planner, nats.bus("compute") as compute:
        orders: AsyncIterator[Delivery] = compute.work("compute", partition("am"))
        order = DeleteAmphora(amphora_id=AmphoraId("am"), appliance_id=ApplianceId("ap"))
        await planner.send_order(order)
        first = await anext(orders)
        nats.kill()
        async with asyncio.timeout(DEADLINE_S):
            while compute._client.is_connected:
                await asyncio.sleep(0.01)
        await first.still_busy()
        await first.acknowledge()
        nats.start()
        async with asyncio.timeout(DEADLINE_S):
            coming = asyncio.ensure_future(anext(orders))
            while not coming.done():
                try:
                    await planner.send_order(order)
                except RetryableError:
                    await asyncio.sleep(0.05)
                await asyncio.wait([coming], timeout=0.2)
            await (await coming).acknowledge()


async def test_a_connection_that_is_closed_for_good_ends_the_service(nats: NatsServer) -> None:
    async with nats.bus("planner") as planner:
        service = Service("planner", planner)

        async def for_ever() -> None:
            await asyncio.Event().wait()

        service.loop("for ever", for_ever)
        running = asyncio.create_task(service.run())
        await planner.flush()
        rotate_password(nats, "planner")
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ExceptionGroup) as caught:
                await running
        assert "closed the connection for good" in str(caught.value.exceptions[0])


def rotate_password(nats: NatsServer, user: str) -> None:
    assert nats._process is not None
    settings = nats._config.read_text()
    nats._config.write_text(settings.replace(nats.password(user), "another one"))
    nats._process.send_signal(signal.SIGHUP)


async def test_leaving_is_no_failure(nats: NatsServer) -> None:
    bus = nats.bus("planner")
    async with bus:
        failed = asyncio.create_task(bus.failed())
    await asyncio.sleep(0)
    assert not failed.done()
    failed.cancel()


async def test_what_the_bus_does_not_permit_shows_at_once(nats: NatsServer) -> None:
    async with nats.bus("compute") as compute:
        began = time.monotonic()
        with pytest.raises(PermanentError, match="does not let compute publish on"):
            await append(compute)
        with pytest.raises(PermanentError, match="does not let compute publish on"):
            await compute.last_sequence("NO_SUCH_STREAM")
        assert time.monotonic() - began < 5


async def test_whoever_may_not_listen_fails_rather_than_being_deaf(nats: NatsServer) -> None:
    async def arrived(_message: object) -> None: ...

    async with nats.bus("compute") as compute:
        await compute.subscribe("ask.planner.1", arrived)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(PermanentError, match=r"does not let compute listen on ask\.planner\.1"):
                await compute.failed()


async def test_a_feed_that_jetstream_refuses_for_good_ends_with_its_words(nats: NatsServer) -> None:
    async with nats.bus("compute") as compute:
        feed = compute.feed("EVENTS_NETWORK", after=0, subjects=("evt.network.vip.a", "evt.network.>"))
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(PermanentError, match="overlap"):
                await anext(feed)


async def test_a_request_that_got_lost_with_the_server_is_sent_again_soon(nats: NatsServer) -> None:
    async with nats.bus("network") as network:
        assert nats._process is not None
        nats._process.send_signal(signal.SIGSTOP)
        asking = asyncio.create_task(network.api("STREAM.INFO.EVENTS_NETWORK", {}, timeout_s=8))
        await asyncio.sleep(0.05)
        nats.kill()
        began = time.monotonic()
        nats.start()
        await asking
        assert time.monotonic() - began < 3


async def test_a_stream_that_was_replaced_is_not_taken_for_the_one_that_was_read(
    nats: NatsServer, tmp_path: Path
) -> None:
    async with nats.bus("network") as network:
        at = 0
        for _ in range(3):
            at = (await append(network, expected=at)).sequence
        feed = network.feed("EVENTS_NETWORK", after=0)
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(3):
                await anext(feed)
            coming = asyncio.ensure_future(anext(feed))
            await asyncio.sleep(0)
            nats.kill()
            (tmp_path / "store").rename(tmp_path / "old-store")
            nats.start()
            await back(network)
            with pytest.raises(PermanentError, match="replaced"):
                await coming


async def test_a_cancellation_that_comes_with_an_answer_is_not_lost(nats: NatsServer) -> None:
    async with nats.bus("network") as network:

        async def ask_for_ever() -> None:
            while True:
                await network.last_sequence("EVENTS_NETWORK")

        for turns in [*range(60)] * 20:  # one of them is the turn in which the answer comes
            asking = asyncio.create_task(ask_for_ever())
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking], timeout=1)
            assert asking.cancelled(), turns
