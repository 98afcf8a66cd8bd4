"""How a service handles what fails, and how it ends: whole, whatever its parts are doing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from actium_shared import service as service_module
from actium_shared import streams, tasks
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.commands.compute import DeleteAmphora
from actium_shared.errors import BrokenStoreError, RetryableError, SettingsError, VersionConflictError
from actium_shared.event_store import JetStreamEventStore, Recorded, commit_envelope
from actium_shared.events.network import VipReleased
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, RandomIds
from actium_shared.message import ClockCause, Commit, Position
from actium_shared.service import Service
from actium_shared.testing.nats_server import NatsServer

DEADLINE_S = 10.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def deaf_once() -> None:
    """As nats-py's flush: the first cancellation is lost on it."""
    try:
        await for_ever()
    except asyncio.CancelledError:
        await for_ever()


async def test_a_part_that_loses_a_cancellation_does_not_keep_the_service_alive(nats_server: NatsServer) -> None:
    async with nats_server.bus("health") as bus:
        service = Service("health", bus)
        begun = asyncio.Event()

        async def deaf() -> None:
            begun.set()
            await deaf_once()

        service.loop("deaf", deaf)
        running = asyncio.create_task(service.run())
        await begun.wait()
        running.cancel()
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(asyncio.CancelledError):
                await running


async def test_a_part_that_fails_ends_all_others_and_is_named(nats_server: NatsServer) -> None:
    ended = asyncio.Event()

    async def fails() -> None:
        raise ValueError("a fault of ours")

    async def other() -> None:
        try:
            await for_ever()
        finally:
            ended.set()

    async with nats_server.bus("health") as bus:
        service = Service("health", bus)
        for part in (other, deaf_once, fails):
            service.loop(part.__name__, part)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ExceptionGroup, match="health failed") as caught:
                await service.run()
    assert [str(exc) for exc in caught.value.exceptions] == ["a fault of ours"]
    assert ended.is_set()


async def test_a_part_that_ends_by_itself_is_a_failure(nats_server: NatsServer) -> None:
    async def ends() -> None:
        pass

    async with nats_server.bus("health") as bus:
        service = Service("health", bus)
        service.loop("ends", ends)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ExceptionGroup) as caught:
                await service.run()
    assert "ends ended by itself" in str(caught.value.exceptions[0])


class Moved(SystemClock):
    """The machine's clock, set forward by hand."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


async def append(bus: Bus, name: str, *, expected: int = 0) -> Position:
    commit = Commit(
        id=RandomIds().new(),
        events=(VipReleased(load_balancer_id=LoadBalancerId(name), reason="lapsed"),),
        cause=ClockCause(deadline=NOW),
        decided_at=NOW,
    )
    envelope = commit_envelope(commit, source="network", correlation_id="c")
    subject = streams.event_subject("network", "vip", name)
    return await JetStreamEventStore(bus).append(subject, commit, expected=expected, envelope=envelope)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(service.run())
    try:
        yield task
    finally:
        await tasks.end([task])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_feed_waits_for_a_failure_to_pass_and_leaves_nothing_out(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "RETRY_MOST_S", 0.01)
    async with nats_server.bus("network") as bus:
        clock = Moved()
        first = await append(bus, "blocked")
        await append(bus, "behind")
        handled: list[str] = []
        tries = 0
        is_away = True

        async def handle(batch: Sequence[Recorded]) -> None:
            nonlocal tries
            tries += 1
            if is_away:
                raise (RetryableError if tries % 2 else VersionConflictError)("the bus is away")
            handled.extend(item.aggregate_id for item in batch)

        service = Service("network", bus, clock)
        service.feed("EVENTS_NETWORK", handle, after=first.sequence - 1)
        async with running(service):
            await until(lambda: tries > 3 * service_module.RETRIES_MOST)
            told = msgspec.to_builtins(service.status())
            assert told["parked"] == 0
            assert told["positions"] == {"EVENTS_NETWORK": first.sequence - 1}
            assert told["blocked"]["EVENTS_NETWORK"]["sequence"] == first.sequence
            assert told["blocked"]["EVENTS_NETWORK"]["error"] == "the bus is away"
            assert "healthy" not in told
            clock.ahead = timedelta(seconds=31)
            assert service.status()["healthy"] is False
            assert f"EVENTS_NETWORK {first.sequence}" in str(service.status()["detail"])
            is_away = False
            await until(lambda: handled == ["blocked", "behind"])
            await until(lambda: "blocked" not in service.status())
            assert "healthy" not in service.status()


async def test_of_a_batch_only_what_is_at_fault_holds_up_or_is_parked(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "RETRY_MOST_S", 0.01)
    async with nats_server.bus("network") as bus:
        first = await append(bus, "one")
        await append(bus, "poison")
        await append(bus, "waits")
        handled: list[str] = []
        tries = 0

        async def handle(batch: Sequence[Recorded]) -> None:
            nonlocal tries
            names = [item.aggregate_id for item in batch]
            if "poison" in names:
                raise ValueError("a fault of ours")
            if "waits" in names and (tries := tries + 1) < 20:
                raise RetryableError("not yet")
            handled.extend(names)

        service = Service("network", bus)
        service.feed("EVENTS_NETWORK", handle, after=first.sequence - 1)
        async with running(service):
            await until(lambda: "waits" in handled)
        assert handled == ["one", "waits"]
        assert service.parked == 1


async def test_of_a_stream_only_the_subjects_that_are_read_come(nats_server: NatsServer) -> None:
    async with nats_server.bus("network") as bus:
        first = await append(bus, "not read")
        await bus.store("evt.network.port.read", b"rubbish", headers={}, timeout_s=DEADLINE_S)
        await append(bus, "not read either")
        ports = streams.event_subjects("network", "port")
        reached: list[int] = []
        service = Service("network", bus)
        service.feed(
            "EVENTS_NETWORK",
            for_ever,  # type: ignore[arg-type]
            after=first.sequence - 1,
            subjects=(ports,),
            passes=lambda _delivery: True,
            done=lambda delivery: reached.append(delivery.sequence),
        )
        async with running(service):
            await until(lambda: bool(reached))
        assert reached == [first.sequence + 1] == [await bus.last_sequence("EVENTS_NETWORK", ports)]
        assert await bus.last_sequence("EVENTS_NETWORK") == first.sequence + 2
        assert await bus.last_sequence("EVENTS_NETWORK", streams.event_subjects("network", "route")) == 0


async def test_what_cannot_be_read_is_parked_and_dealt_with_though_nothing_comes_behind_it(
    nats_server: NatsServer,
) -> None:
    async with nats_server.bus("network") as bus:
        first = await append(bus, "readable")
        await bus.store("evt.network.vip.rubbish", b"rubbish", headers={}, timeout_s=DEADLINE_S)
        reached: list[int] = []

        async def handle(_batch: Sequence[Recorded]) -> None:
            return

        service = Service("network", bus)
        service.feed(
            "EVENTS_NETWORK",
            handle,
            after=first.sequence - 1,
            done=lambda delivery: reached.append(delivery.sequence),
        )
        async with running(service):
            await until(lambda: first.sequence + 1 in reached)
        assert service.parked == 1


async def test_an_order_that_fails_too_often_is_parked_and_lets_the_next_by(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "RETRY_MOST_S", 0.01)
    tried: list[str] = []

    async def delete(order: DeleteAmphora) -> None:
        tried.append(order.appliance_id)
        if order.appliance_id == "fails":
            raise RetryableError("the machines are away")

    async with nats_server.bus("planner") as planner, nats_server.bus("compute") as compute:
        service = Service("compute", compute)
        service.orders({DeleteAmphora: delete})  # type: ignore[dict-item]
        async with running(service):
            for amphora, appliance in (("am", "fails"), ("am2", "works")):
                await planner.send_order(
                    DeleteAmphora(amphora_id=AmphoraId(amphora), appliance_id=ApplianceId(appliance))
                )
            await until(lambda: service.parked == 1 and "works" in tried)
        assert tried.count("fails") == service_module.RETRIES_MOST


async def test_a_broken_store_under_a_feed_ends_the_service(nats_server: NatsServer) -> None:
    async def handle(_batch: object) -> None:
        raise BrokenStoreError("malformed")

    async with nats_server.bus("network") as bus:
        position = await append(bus, "broken")
        service = Service("network", bus)
        service.feed("EVENTS_NETWORK", handle, after=position.sequence - 1)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ExceptionGroup) as caught:
                await service.run()
        assert isinstance(caught.value.exceptions[0], BrokenStoreError)
        assert service.parked == 0


async def test_tables_made_from_another_log_are_refused_with_a_sentence(nats_server: NatsServer) -> None:
    async with nats_server.bus("network") as bus:
        end = await bus.last_sequence("EVENTS_NETWORK")
        service = Service("network", bus)
        service.feed("EVENTS_NETWORK", for_ever, after=end + 1)  # type: ignore[arg-type]
        with pytest.raises(SettingsError) as caught:
            await service.run()
    assert str(caught.value).startswith(
        f"the table `positions` says that EVENTS_NETWORK is read up to {end + 1}, but the stream ends at {end}"
    )
