"""The second witness: who answers, who does not, and that it is quick to say so."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actium_compute import probing
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.commands.compute import AmphoraProbed, ProbeAmphora
from actium_shared.ids import AmphoraId
from actium_shared.message import Reason, Rejected
from builders import an_id
from integration.compute.bench import Amphora, Bench


@pytest.fixture
async def health(bench: Bench) -> AsyncIterator[Bus]:
    async with bench.server.bus("health") as bus:
        yield bus


async def probe(health: Bus, amphora: Amphora, *, timeout_s: float = 1.0) -> AmphoraProbed:
    reply = await health.ask(ProbeAmphora(amphora_id=amphora.id, timeout_s=timeout_s))
    assert isinstance(reply, AmphoraProbed)
    return reply


async def test_one_that_lives_answers(bench: Bench, health: Bus, amphora: Amphora) -> None:
    await bench.serving(amphora)
    assert await probe(health, amphora) == AmphoraProbed(answers=True, powered=True)


async def test_a_dead_agent_on_a_machine_that_runs(bench: Bench, health: Bus, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.machines.agents[amphora.id].stop()
    answer = await probe(health, amphora)
    assert (answer.answers, answer.powered) == (False, True)
    assert amphora.address in answer.detail


async def test_a_machine_that_is_off(bench: Bench, health: Bus, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.machines.lose_all()
    answer = await probe(health, amphora)
    assert (answer.answers, answer.powered) == (False, False)


async def test_one_that_hangs_is_given_no_more_than_its_time(bench: Bench, health: Bus, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.machines.agents[amphora.id].stop()
    held = asyncio.Event()
    silent = await asyncio.start_server(lambda _reader, _writer: held.wait(), amphora.address, 9443)
    began_at = SystemClock().monotonic()
    answer = await probe(health, amphora, timeout_s=0.2)
    assert 0.15 < SystemClock().monotonic() - began_at < 1.0
    assert (answer.answers, answer.powered) == (False, True)
    held.set()
    silent.close()


async def test_a_push_that_hangs_is_not_waited_for(bench: Bench, health: Bus, amphora: Amphora) -> None:
    await bench.serving(amphora)
    pushing = asyncio.Event()

    async def hang(name: str) -> None:
        if name == "before push":
            pushing.set()
            await asyncio.Event().wait()

    bench.machines.boundary = hang
    await bench.order(amphora.configure(2))
    await pushing.wait()
    assert (await probe(health, amphora)).answers


async def test_one_that_nobody_knows_is_refused_by_name(health: Bus, bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    reply = await health.ask(ProbeAmphora(amphora_id=AmphoraId(an_id("nobody"))))
    assert isinstance(reply, Rejected)
    assert (reply.reason, reply.field) == (Reason.NOT_FOUND, "amphora_id")
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "deleted")
    assert isinstance(await health.ask(ProbeAmphora(amphora_id=amphora.id)), Rejected)


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "PROBES_AT_ONCE", 2)


@pytest.mark.usefixtures("two_at_once")
async def test_of_too_many_at_once_each_is_told_the_truth_in_time(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.machines.agents[amphora.id].stop()
    held = asyncio.Event()
    silent = await asyncio.start_server(lambda _reader, _writer: held.wait(), amphora.address, 9443)
    async with bench.server.bus("health") as health:
        began_at = SystemClock().monotonic()
        asks = [health.ask(ProbeAmphora(amphora_id=amphora.id, timeout_s=0.3)) for _ in range(6)]
        replies = await asyncio.gather(*asks)
        assert SystemClock().monotonic() - began_at < 1.5
    probed = [reply for reply in replies if isinstance(reply, AmphoraProbed)]
    refused = [reply for reply in replies if isinstance(reply, Rejected)]
    assert len(probed) >= 2
    assert not any(reply.answers for reply in probed)
    assert {reply.reason for reply in refused} <= {Reason.UNAVAILABLE}
    held.set()
    silent.close()


async def test_many_that_live_all_answer(bench: Bench, health: Bus) -> None:
    amphorae = [Amphora() for _ in range(20)]
    for one in amphorae:
        await bench.ports(one)
        await bench.order(one.boot())
    for one in amphorae:
        await bench.until_types(one, "booted")
    replies = await asyncio.gather(*(probe(health, one, timeout_s=3.0) for one in amphorae for _ in range(5)))
    assert all(reply.answers for reply in replies)
