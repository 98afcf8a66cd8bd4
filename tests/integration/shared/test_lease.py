"""One process of a service at a time: whoever comes second is told so, and whoever was killed holds nothing up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.errors import PermanentError, SettingsError
from actium_shared.lease import ANSWER_S, Lease
from actium_shared.testing.nats_server import NatsServer

SOON_S = 0.5
CLOCK = SystemClock()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def _bus(stack: AsyncExitStack, server: NatsServer) -> Bus:
    return await stack.enter_async_context(server.bus("compute"))


async def test_a_second_one_is_refused_in_words_that_name_the_first(
    nats_server: NatsServer, stack: AsyncExitStack
) -> None:
    await Lease(await _bus(stack, nats_server), "compute", CLOCK).take()
    second = Lease(await _bus(stack, nats_server), "compute", CLOCK)
    with pytest.raises(SettingsError, match=r"compute runs already: on .* as process \d+ since .* end that one first"):
        await second.take(within_s=SOON_S)


async def test_whoever_waits_goes_on_as_soon_as_the_first_has_ended(
    nats_server: NatsServer, stack: AsyncExitStack
) -> None:
    first = await _bus(stack, nats_server)
    await Lease(first, "compute", CLOCK).take()
    waiting = asyncio.create_task(Lease(await _bus(stack, nats_server), "compute", CLOCK).take(within_s=30.0))
    await first.__aexit__(None, None, None)
    async with asyncio.timeout(10):
        await waiting


async def test_one_that_says_nothing_but_is_connected_keeps_it(nats_server: NatsServer, stack: AsyncExitStack) -> None:
    """As a paused process is: it may go on at any moment, and do what it was about to."""
    silent = await _bus(stack, nats_server)
    await Lease(silent, "compute", CLOCK).take()
    silent.publish = _says_nothing  # type: ignore[method-assign]
    with pytest.raises(SettingsError, match="runs already"):
        await Lease(await _bus(stack, nats_server), "compute", CLOCK).take(within_s=ANSWER_S)


async def _says_nothing(*_args: object, **_named: object) -> None:
    return


async def test_of_many_that_start_at_once_one_works(nats_server: NatsServer, stack: AsyncExitStack) -> None:
    leases = [Lease(await _bus(stack, nats_server), "compute", CLOCK) for _ in range(5)]
    outcomes = await asyncio.gather(*(each.take(within_s=SOON_S) for each in leases), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", *["SettingsError"] * 4]


async def test_one_that_was_off_the_bus_ends_when_another_has_taken_over(
    nats_server: NatsServer, stack: AsyncExitStack
) -> None:
    gone = await _bus(stack, nats_server)
    lease = Lease(gone, "compute", CLOCK)
    await lease.take()
    await gone.__aexit__(None, None, None)
    await Lease(await _bus(stack, nats_server), "compute", CLOCK).take(within_s=10.0)
    back = await _bus(stack, nats_server)
    lease._bus = back  # the same process, connected again
    lease._reconnected.set()
    with pytest.raises(PermanentError, match="does the work of compute by now"):
        async with asyncio.timeout(10):
            await lease.keep()


async def test_one_that_was_off_the_bus_goes_on_when_nobody_has(nats_server: NatsServer, stack: AsyncExitStack) -> None:
    """And holds it still, though a bus that is killed forgets what was written last."""
    bus = await _bus(stack, nats_server)
    lease = Lease(bus, "compute", CLOCK)
    await lease.take()
    back = asyncio.Event()
    bus.on_reconnect(back.set)
    keeping = asyncio.create_task(lease.keep())
    nats_server.kill()
    nats_server.start()
    async with asyncio.timeout(20):
        await back.wait()
        while (await lease._read())[0] != lease._own:
            await asyncio.sleep(0.01)
    with pytest.raises(SettingsError):
        await Lease(await _bus(stack, nats_server), "compute", CLOCK).take(within_s=SOON_S)
    assert not keeping.done()
    keeping.cancel()
