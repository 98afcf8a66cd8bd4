"""Compute with all that is real: nats-server, fabric, namespaces, the agent and haproxy; planner and network are the test."""

import os
import signal
import time
from functools import partial
from operator import eq
from pathlib import Path

import pytest

from actium_compute.agent_client import AgentClient
from actium_compute.authority import open_authority
from actium_shared import embedded
from actium_shared.clock import SystemClock
from actium_shared.commands.compute import AmphoraProbed, ProbeAmphora
from actium_shared.embedded import namespaces
from contract.ports.embedded_world import traces
from integration.compute.bench import IN_USE_S, Amphora, lose_the_authority, until
from system.compute.scene import Scene

pytestmark = pytest.mark.root


async def test_an_amphora_serves_changes_survives_and_goes_without_a_trace(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    began_at = time.monotonic()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    print(f"orders to booted and configured: {time.monotonic() - began_at:.3f} s")
    assert await scene.answers() == 200

    await _weights_change_without_reload(scene)
    last = (await bench.events(amphora))[-1].bundle

    await bench.order(scene.configure(last + 1, weight=-5))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configuration-refused")
    print((await bench.events(amphora))[-1].reason)
    assert await scene.answers() == 200
    await bench.order(scene.configure(last + 2, weight=5))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configured")
    assert await scene.answers() == 200

    await bench.stop()
    await bench.start()
    await bench.order(scene.configure(last + 3, weight=6))
    await until(lambda: bench.types(amphora), lambda types: types[-2:] == ["configured", "configured"])
    assert (await bench.events(amphora))[-1].result == "runtime"

    await bench.order(amphora.delete())
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "deleted")
    assert await scene.answers() == 0
    assert [name for name in traces(amphora.id) if "fab" not in name] == []


async def test_after_its_machine_is_lost_it_serves_again(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    await bench.stop()
    await bench.machines.delete(amphora.id, timeout_s=10)
    await scene.plug_fabric()
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    assert await scene.answers() == 200


async def test_it_is_looked_after_without_an_order(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")

    await bench.machines.power_off(amphora.id, timeout_s=10)
    await bench.until_types(amphora, *["booted", "configured"] * 2)
    assert await scene.answers() == 200

    await bench.stop()
    lose_the_authority(bench)
    await bench.start()
    await bench.until_types(amphora, *["booted", "configured"] * 3)
    assert await scene.answers() == 200

    await bench.stop()
    bench.changed_settings = bench.changed_settings | {"certificate_renew_before_s": IN_USE_S}
    await bench.start()
    await until(lambda: bench.types(amphora), lambda types: types[6:7] == ["certificate-renewed"])
    await bench.order(scene.configure(2))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configured")
    assert await scene.answers() == 200
    assert (await bench.types(amphora)).count("booted") == 3


async def test_one_that_fell_silent_is_fenced_at_once_though_it_is_just_being_told_something(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    async with bench.server.bus("health") as health:
        assert (await health.ask(ProbeAmphora(amphora_id=amphora.id))) == AmphoraProbed(answers=True, powered=True)
        stopped = _agents_of(amphora)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            await bench.order(scene.configure(2, weight=7))
            began_at = time.monotonic()
            answer = await health.ask(ProbeAmphora(amphora_id=amphora.id, timeout_s=0.3))
            print(f"probe of a stopped agent: {time.monotonic() - began_at:.3f} s, {answer}")
            assert isinstance(answer, AmphoraProbed)
            assert (answer.answers, answer.powered) == (False, True)
            assert await scene.answers() == 200  # haproxy lives on, and the VIP with it
            began_at = time.monotonic()
            await bench.order(amphora.fence())
            await bench.until_types(amphora, "booted", "configured", "fenced")
            print(f"fence, order to record: {time.monotonic() - began_at:.3f} s")
            assert time.monotonic() - began_at < 1.0
            assert await scene.answers() == 0
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
    assert await scene.answers() == 0
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "fenced", "deleted")


async def test_a_spare_takes_a_place_without_a_restart(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot_as_spare("a pool"))
    await bench.until_types(amphora, "booted")
    began_at = time.monotonic()
    await bench.order(scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    print(f"a spare is configured: {time.monotonic() - began_at:.3f} s")
    assert await scene.answers() == 200


async def test_what_lost_its_configuration_is_found_and_gets_it_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, amphora = scene.bench, scene.amphora
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    await bench.stop()
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.1)
    bench.changed_settings = bench.changed_settings | {"check_every_s": 0.1}
    await bench.start()
    authority = open_authority(bench.settings().authority_folder, SystemClock())
    client = AgentClient(
        bench.management, authority.client_context, amphora_id=amphora.id, address=amphora.management.address
    )
    await client._call("DELETE", "/v1/configuration", b"", timeout_s=5)
    client.close()
    await until(lambda: bench.types(amphora), lambda types: types[2:] == ["drifted", "configured"])
    assert await scene.answers() == 200


def _agents_of(amphora: Amphora) -> list[int]:
    name = embedded.amphora_namespace(amphora.id)
    found = namespaces.processes([name])[name]
    return [pid for pid in found if b"actium_amphora_agent" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def _weights_change_without_reload(scene: Scene) -> None:
    took_ms = []
    for bundle in range(2, 22):
        began_at = time.monotonic()
        await scene.bench.order(scene.configure(bundle, weight=bundle))
        await until(partial(_bundle, scene), partial(eq, bundle))
        took_ms.append((time.monotonic() - began_at) * 1000)
    results = [event.result for event in (await scene.bench.events(scene.amphora))[2:]]
    print(f"weight change, order to seen on the log: median {sorted(took_ms)[10]:.1f} ms, {results}")
    print([event.took_ms for event in (await scene.bench.events(scene.amphora))[2:]])
    assert set(results) == {"runtime"}


async def _bundle(scene: Scene) -> int:
    return int((await scene.bench.events(scene.amphora))[-1].bundle)
