"""How a service ends: whole, whatever its parts are doing."""

import asyncio

import pytest

from actium_shared.service import Service
from actium_shared.testing.nats_server import NatsServer

DEADLINE_S = 10.0


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
