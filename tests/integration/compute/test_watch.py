"""What is looked after without any order: amphorae that run something else, machines that nobody ordered, keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from actium_compute.authority import open_authority
from actium_compute.ports import MachinePort, MachineWish
from actium_shared.clock import SystemClock
from actium_shared.crypto import heartbeat_key
from actium_shared.testing.nats_server import NatsServer
from integration.compute.bench import IN_USE_S, Amphora, Bench, until


@pytest.fixture
async def bench(nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Compute that looks after its amphorae all the time."""
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("actium_compute.watch.STRAYS_EVERY_S", 0.01)
    async with AsyncExitStack() as stack:
        bench = Bench(nats_server, tmp_path, stack)
        bench.changed_settings = {"check_every_s": 0.1, "stray_grace_s": 0.2}
        await bench.connect()
        await bench.start()
        yield bench
        await bench.stop()
        await bench.machines.lose_all()


async def test_what_came_to_run_something_else_is_recorded_and_configured_anew(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    given = agent.in_force["digest"]
    agent.in_force = {**agent.in_force, "digest": "another"}
    await bench.until_types(amphora, "booted", "configured", "drifted", "configured")
    *_, drifted, configured = await bench.events(amphora)
    assert (drifted.bundle, drifted.digest, drifted.found) == (1, given, "another")
    assert (agent.in_force["digest"], configured.digest) == (given, given)
    assert len(await bench.commits(amphora)) == 2


async def test_what_the_agent_itself_calls_drift_is_recorded_with_its_words(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    bench.machines.agents[amphora.id].drift = "haproxy would not load it"
    await bench.until_types(amphora, "booted", "configured", "drifted", "configured")
    (*_, drifted, _) = await bench.events(amphora)
    assert drifted.reason == "haproxy would not load it"


async def test_what_will_not_load_is_refused_once_and_not_over_and_over(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    bench.machines.refuses = lambda _bundle: "never"
    bench.machines.agents[amphora.id].drift = "haproxy would not load it"
    await bench.until_types(amphora, "booted", "configured", "drifted", "configuration-refused")
    await asyncio.sleep(0.5)
    assert await bench.types(amphora) == ["booted", "configured", "drifted", "configuration-refused"]


async def test_what_runs_as_it_should_is_left_alone_and_not_pushed_again(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.stop()
    await bench.start()
    await asyncio.sleep(0.5)
    assert await bench.types(amphora) == ["booted", "configured"]
    assert len(bench.machines.agents[amphora.id].pushes) == 1


async def a_machine_that_nobody_ordered(bench: Bench, amphora: Amphora) -> None:
    settings = {"listen_address": amphora.address}
    port = MachinePort(port_id=amphora.management.id, mac="", address=amphora.address, prefix_length=24)
    files = {"amphora.json": msgspec.json.encode(settings), **_certified(bench, amphora)}
    wish = MachineWish(amphora_id=amphora.id, image_tag="default", management_port=port, files=lambda: files)
    await bench.machines.boot(wish, timeout_s=5)


def _certified(bench: Bench, amphora: Amphora) -> dict[str, bytes]:
    authority = open_authority(bench.settings().authority_folder, SystemClock())
    return {"agent.pem": authority.issue(amphora.id).pem, "ca.pem": authority.certificate_pem}


async def test_a_machine_that_nobody_ordered_is_removed_and_that_is_recorded(bench: Bench, amphora: Amphora) -> None:
    other = Amphora()
    await bench.serving(other)
    await a_machine_that_nobody_ordered(bench, amphora)
    await bench.until_types(amphora, "stray-removed")
    assert set(bench.machines.agents) == {other.id}
    assert await bench.types(other) == ["booted", "configured"]


async def test_one_that_came_back_after_its_deletion_is_removed_too(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "deleted")
    await a_machine_that_nobody_ordered(bench, amphora)
    await bench.until_types(amphora, "booted", "configured", "deleted", "stray-removed")
    assert bench.machines.agents == {}


async def test_leftovers_without_a_machine_are_removed(bench: Bench, amphora: Amphora) -> None:
    bench.machines.left_over.add(amphora.id)
    await bench.until_types(amphora, "stray-removed")
    assert bench.machines.left_over == set()
    assert "leftovers" in (await bench.events(amphora))[0].found


async def test_one_whose_order_comes_within_the_grace_is_kept(bench: Bench, amphora: Amphora) -> None:
    await bench.stop()
    bench.changed_settings = {"check_every_s": 0.1, "stray_grace_s": 1.0}
    await bench.start()
    await a_machine_that_nobody_ordered(bench, amphora)
    await bench.ports(amphora)
    await bench.order(amphora.boot())
    await bench.until_types(amphora, "booted")
    await asyncio.sleep(1.2)
    assert await bench.types(amphora) == ["booted"]
    assert bench.machines.boots == [amphora.id]


@pytest.mark.parametrize("knows_certificates_only", [False, True])
async def test_with_its_certificate_an_amphora_gets_a_new_heartbeat_key(
    bench: Bench, amphora: Amphora, monkeypatch: pytest.MonkeyPatch, knows_certificates_only: bool
) -> None:
    await bench.serving(amphora)
    await bench.stop()
    bench.machines.agents[amphora.id].knows_certificates_only = knows_certificates_only
    bench.changed_settings = bench.changed_settings | {"certificate_renew_before_s": IN_USE_S}
    await asyncio.sleep(1.1)
    await bench.start()
    await until(lambda: bench.types(amphora), lambda types: types[2:3] == ["certificate-renewed"])
    await bench.stop()
    *_, renewed = (await bench.events(amphora))[:3]
    version = 1 if knows_certificates_only else 2
    assert renewed.heartbeat_key_version == (0 if knows_certificates_only else version)
    bench.changed_settings = bench.changed_settings | {"certificate_renew_before_s": 86_400.0}
    await bench.machines.lose_all()
    await bench.start()
    await until(lambda: bench.types(amphora), lambda types: types[-2:] == ["booted", "configured"] and len(types) > 3)
    booted = (await bench.events(amphora))[-2]
    agent = bench.machines.agents[amphora.id]
    assert booted.heartbeat_key_version == agent.key_version
    assert booted.heartbeat_key_version >= version
    assert agent.files["heartbeat.key"] == heartbeat_key(bytes(32), amphora.id, agent.key_version)
