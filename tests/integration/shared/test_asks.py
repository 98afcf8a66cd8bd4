"""Asks: nothing is decided for somebody who has given up, refusals come in words, and a service ends with none under way."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from actium_shared.bus import Bus, Question, asks
from actium_shared.codec import CODEC
from actium_shared.commands.network import FindSubnet
from actium_shared.errors import BrokenStoreError, PermanentError, RetryableError
from actium_shared.ids import SubnetId, partition
from actium_shared.message import Accepted, Position, Reason, Rejected, Reply
from actium_shared.service import Service
from actium_shared.streams import MAX_PAYLOAD_BYTES, ask_subject
from actium_shared.testing.nats_server import NatsServer

ASK = FindSubnet(subnet_id=SubnetId("s"))
DONE = Accepted(position=Position("EVENTS_NETWORK", 7))
DEADLINE_S = 10.0


async def served(network: Bus, answer: Callable[[Question], Awaitable[Reply]]) -> None:
    await network.serve_asks("network", answer)
    await network.flush()


async def test_an_ask_that_was_given_up_while_the_bus_was_away_is_not_decided_later(nats_server: NatsServer) -> None:
    asked: list[Question] = []

    async def answer(question: Question) -> Reply:
        asked.append(question)
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        nats_server.kill()
        for _ in range(3):
            with pytest.raises(RetryableError):
                await api.ask(ASK, timeout_s=2)
        nats_server.start()
        async with asyncio.timeout(DEADLINE_S):
            while await reply_of(api, FindSubnet(subnet_id=SubnetId("last"))) != DONE:
                pass
        assert [question.command for question in asked if question.command == ASK] == []


async def reply_of(api: Bus, command: FindSubnet) -> Reply | None:
    try:
        return await api.ask(command, timeout_s=2)
    except RetryableError:
        await asyncio.sleep(0.05)
        return None


async def test_an_ask_that_comes_after_its_end_is_not_decided(nats_server: NatsServer) -> None:
    asked: list[Question] = []

    async def answer(question: Question) -> Reply:
        asked.append(question)
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        subject = ask_subject("network", partition("s"))
        envelope = api._envelope(ASK.TYPE, ASK.VERSION)
        headers = envelope.to_headers() | {
            "ce-time": (envelope.time - timedelta(seconds=21)).isoformat(),
            "actium-timeout": "20.0",
        }
        with pytest.raises(RetryableError):
            await api.request(subject, CODEC.encode(ASK), timeout_s=0.5, headers=headers)
        assert asked == []
        assert await api.ask(ASK, timeout_s=2) == DONE


async def test_what_is_permanently_wrong_with_an_ask_is_its_refusal(nats_server: NatsServer) -> None:
    async def answer(question: Question) -> Reply:
        raise PermanentError("the change is too large")

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        assert await api.ask(ASK, timeout_s=2) == Rejected(reason=Reason.INVALID, detail="the change is too large")


async def test_an_ask_that_is_too_large_to_be_sent_is_refused_and_the_connection_lives_on(
    nats_server: NatsServer,
) -> None:
    async def answer(question: Question) -> Reply:
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        for size in (MAX_PAYLOAD_BYTES - 200, MAX_PAYLOAD_BYTES + 1):  # with its headers the first is too large, too
            with pytest.raises(PermanentError, match="too large"):
                await api.ask(FindSubnet(subnet_id=SubnetId("s" * size)), timeout_s=2)
        assert await api.ask(ASK, timeout_s=2) == DONE


async def test_a_broken_store_under_an_ask_ends_the_service(nats_server: NatsServer) -> None:
    async def answer(question: Question) -> Reply:
        raise BrokenStoreError("malformed")

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        running = asyncio.create_task(Service("network", network).run())
        with pytest.raises(RetryableError):
            await api.ask(ASK, timeout_s=2)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ExceptionGroup) as caught:
                await running
        assert [str(exc) for exc in caught.value.exceptions] == ["malformed"]


async def test_a_fault_of_ours_leaves_an_ask_without_reply_and_the_next_is_answered(nats_server: NatsServer) -> None:
    faults = [ValueError("a fault of ours")]

    async def answer(question: Question) -> Reply:
        if faults:
            raise faults.pop()
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        with pytest.raises(RetryableError):
            await api.ask(ASK, timeout_s=2)
        assert await api.ask(ASK, timeout_s=2) == DONE


async def test_more_asks_than_can_be_answered_are_turned_away(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asks, "ASKS_MOST", 3)
    go = asyncio.Event()

    async def answer(question: Question) -> Reply:
        await go.wait()
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        asking = [asyncio.create_task(api.ask(ASK, timeout_s=1.5)) for _ in range(8)]
        async with asyncio.timeout(DEADLINE_S):
            while network._turned_away + (network._told_at > 0) < 5:
                await asyncio.sleep(0.01)
        go.set()
        replies = await asyncio.gather(*asking, return_exceptions=True)
        assert sum(reply == DONE for reply in replies) == 3
        assert sum(isinstance(reply, RetryableError) for reply in replies) == 5


async def test_a_service_that_ends_lets_a_decision_come_to_its_end_and_takes_no_more(nats_server: NatsServer) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def answer(question: Question) -> Reply:
        begun.set()
        await go.wait()
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        asking = asyncio.create_task(api.ask(ASK, timeout_s=5))
        await begun.wait()
        ending = asyncio.create_task(network.end_asks())
        await asyncio.sleep(0)
        go.set()
        assert await asking == DONE
        await ending
        await network.flush()
        with pytest.raises(RetryableError):
            await api.ask(ASK, timeout_s=2)


async def test_a_decision_that_does_not_come_to_an_end_is_cancelled(nats_server: NatsServer) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def answer(question: Question) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return DONE

    async with nats_server.bus("api") as api, nats_server.bus("network") as network:
        await served(network, answer)
        asking = asyncio.create_task(api.ask(ASK, timeout_s=1))
        await begun.wait()
        await network.end_asks(timeout_s=0.1)
        assert ended.is_set()
        with pytest.raises(RetryableError):
            await asking
