"""The bus and the log against a real nats-server: order, conflicts, permissions, and life after a restart."""

import asyncio
from datetime import UTC, datetime

import pytest
from nats.aio.msg import Msg

from actium_shared import streams
from actium_shared.commands.compute import DeleteAmphora
from actium_shared.commands.network import FindSubnet
from actium_shared.errors import PermanentError, RetryableError, VersionConflictError
from actium_shared.event_store import JetStreamEventStore, commit_envelope
from actium_shared.events.network import VipReleased
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, RandomIds, SubnetId, partition
from actium_shared.message import Accepted, ClockCause, Commit, Position
from actium_shared.testing.nats_server import NatsServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def commit(load_balancer_id: str, *, commit_id: str | None = None) -> Commit:
    return Commit(
        id=commit_id or RandomIds().new(),
        events=(VipReleased(load_balancer_id=LoadBalancerId(load_balancer_id), reason="lapsed"),),
        cause=ClockCause(deadline=NOW),
        decided_at=NOW,
    )


async def append(store: JetStreamEventStore, what: Commit, expected: int, aggregate_id: str) -> Position:
    subject = streams.event_subject("network", "vip", aggregate_id)
    envelope = commit_envelope(what, source="network", correlation_id="c")
    return await store.append(subject, what, expected=expected, envelope=envelope)


async def test_appended_commits_are_read_back_in_order(nats_server: NatsServer) -> None:
    async with nats_server.bus("network") as bus:
        store = JetStreamEventStore(bus)
        first = await append(store, one := commit("a"), 0, "a")
        second = await append(store, two := commit("a"), first.sequence, "a")
        read = [item async for item in store.read("EVENTS_NETWORK", after=first.sequence - 1)]
        assert [item.commit for item in read] == [one, two]
        assert [item.position for item in read] == [first, second]
        assert [item async for item in store.read("EVENTS_NETWORK", after=second.sequence)] == []


async def test_a_stale_writer_is_refused_and_its_own_retry_is_recognised(nats_server: NatsServer) -> None:
    async with nats_server.bus("network") as bus:
        store = JetStreamEventStore(bus)
        position = await append(store, one := commit("b"), 0, "b")
        assert await append(store, one, 0, "b") == position
        with pytest.raises(VersionConflictError):
            await append(store, commit("b"), 0, "b")


async def test_only_the_owner_of_a_subject_may_append(nats_server: NatsServer) -> None:
    async with nats_server.bus("network") as network, nats_server.bus("compute") as compute:
        store = JetStreamEventStore(network)
        position = await append(store, commit("c"), 0, "c")
        what = commit("c")
        envelope = commit_envelope(what, source="compute", correlation_id="c")
        with pytest.raises(PermanentError, match="does not let compute publish"):
            await JetStreamEventStore(compute).append("evt.network.vip.c", what, expected=0, envelope=envelope)
        assert [item async for item in store.read("EVENTS_NETWORK", after=position.sequence)] == []


async def test_a_follower_and_a_worker_survive_a_killed_server(nats_server: NatsServer) -> None:
    async with (
        nats_server.bus("planner") as planner,
        nats_server.bus("compute") as compute,
        nats_server.bus("network") as network,
    ):
        store = JetStreamEventStore(network)
        seen: asyncio.Queue[Position] = asyncio.Queue()
        done: asyncio.Queue[str] = asyncio.Queue()

        async def follow() -> None:
            async for item in JetStreamEventStore(compute).follow("EVENTS_NETWORK", after=0):
                seen.put_nowait(item.position)

        async def work(number: int) -> None:
            async for delivery in compute.work("compute", number):
                done.put_nowait(delivery.subject)
                await delivery.acknowledge()

        order = DeleteAmphora(amphora_id=AmphoraId("am"), appliance_id=ApplianceId("ap"))
        number = partition("am")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow()), group.create_task(work(number))]
            first = await append(store, commit("d"), 0, "d")
            while await asyncio.wait_for(seen.get(), 5) != first:
                pass
            await planner.send_order(order)
            await planner.send_order(order)
            assert await asyncio.wait_for(done.get(), 5) == f"cmd.compute.{number}.am"
            nats_server.kill()
            nats_server.start()
            second = await append(store, commit("d"), first.sequence, "d")
            assert await asyncio.wait_for(seen.get(), 15) == second
            while True:
                try:
                    await planner.send_order(order)
                    break
                except RetryableError:
                    await asyncio.sleep(0.05)
            assert await asyncio.wait_for(done.get(), 15) == f"cmd.compute.{number}.am"
            assert done.empty()
            for task in tasks:
                task.cancel()


async def test_an_ask_is_answered_by_the_owner_of_the_partition(nats_server: NatsServer) -> None:
    async with nats_server.bus("api") as api, nats_server.bus("network") as network:

        async def answer(question: object) -> Accepted:
            return Accepted(position=Position("EVENTS_NETWORK", 7))

        await network.serve_asks("network", answer)
        await network.flush()
        reply = await api.ask(FindSubnet(subnet_id=SubnetId("s")), timeout_s=2)
        assert reply == Accepted(position=Position("EVENTS_NETWORK", 7))


async def test_after_a_flush_the_server_knows_every_subscription(nats_server: NatsServer) -> None:
    async with nats_server.bus("api") as api, nats_server.bus("network") as network:

        async def answer(question: object) -> Accepted:
            return Accepted(position=Position("EVENTS_NETWORK", 7))

        for _ in range(300):
            await network.serve_asks("network", answer)
            await network.flush()
            await api.ask(FindSubnet(subnet_id=SubnetId("s")), timeout_s=2)
            await network.end_asks()
            await network.flush()


async def test_an_ask_without_an_answerer_says_that_the_outcome_is_unknown(nats_server: NatsServer) -> None:
    async with nats_server.bus("api") as api:
        with pytest.raises(RetryableError):
            await api.ask(FindSubnet(subnet_id=SubnetId("s")), timeout_s=0.5)


async def test_answers_find_their_questions_whatever_came_of_others(nats_server: NatsServer) -> None:
    waiting: dict[str, Msg] = {}
    all_are_there = asyncio.Event()

    def arrived(message: Msg) -> None:
        waiting[message.data.decode()] = message
        if len(waiting) == 4:
            all_are_there.set()

    async with nats_server.bus("health") as asker, nats_server.bus("compute") as answerer:
        await answerer.take("ask.compute.0", arrived)
        await answerer.flush()
        asked = {
            name: asyncio.create_task(asker.request("ask.compute.0", name.encode(), timeout_s=timeout_s))
            for name, timeout_s in (("a", 10.0), ("late", 0.05), ("given up", 10.0), ("b", 10.0))
        }
        async with asyncio.timeout(10):
            await all_are_there.wait()
            asked["given up"].cancel()
            with pytest.raises(RetryableError, match="TimeoutError"):
                await asked["late"]
            for name, message in reversed(waiting.items()):
                await answerer.publish(message.reply, f"to {name}".encode())
            assert [(await asked[name]).data for name in ("a", "b")] == [b"to a", b"to b"]
            with pytest.raises(asyncio.CancelledError):
                await asked["given up"]
            with pytest.raises(RetryableError, match="NoRespondersError"):
                await asker.request("ask.compute.1", b"", timeout_s=10.0)
