"""A real agent that compute cannot reach, or that has lost everything, fetches what it should run."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from actium_shared import embedded
from actium_shared.embedded import namespaces
from integration.compute.bench import Amphora, until
from system.compute.scene import Scene

pytestmark = pytest.mark.root


async def serving(scene: Scene) -> None:
    await scene.make_ports()
    await scene.bench.order(scene.amphora.boot(), scene.configure(1))
    await scene.bench.until_types(scene.amphora, "booted", "configured")


def out_of_reach(amphora: Amphora) -> None:
    """As behind NAT: it may connect to compute, and compute not to it."""
    rules = "table inet nat { chain arrive { type filter hook input priority 0; tcp dport 9443 drop; }; }"
    name = embedded.amphora_namespace(amphora.id)
    subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=rules, text=True, check=True)


def processes(amphora: Amphora) -> dict[int, str]:
    name = embedded.amphora_namespace(amphora.id)
    found = namespaces.processes([name])[name]
    lines: dict[int, str] = {}
    for pid in found:
        with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            lines[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return lines


def lose_everything(amphora: Amphora) -> None:
    """What a reboot does to a virtual machine: nothing runs, and nothing of /run is left but what was given at birth."""
    mine = processes(amphora)
    agent = next(pid for pid, line in mine.items() if "actium_amphora_agent" in line)
    forget = "cd /run/amphora && find . -mindepth 1 -maxdepth 1 ! -name config ! -name image -exec rm -rf {} +"
    subprocess.run(["nsenter", "-t", str(agent), "-m", "sh", "-c", forget], check=True)
    for pid, line in mine.items():
        if "actium_amphora_agent" in line or "haproxy" in line:
            os.kill(pid, signal.SIGKILL)


async def test_what_cannot_be_pushed_is_fetched_on_a_note(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await serving(scene)
    await bench.stop()
    out_of_reach(amphora)
    await bench.start()
    await bench.order(scene.configure(2, weight=7))
    await bench.until_types(amphora, "booted", "configured", "configured")
    first, second = (await bench.events(amphora))[1:]
    assert (second.bundle, second.digest != first.digest) == (2, True)
    assert await scene.answers() == 200
    await bench.order(scene.configure(3, weight=-5))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configuration-refused")
    assert await scene.answers() == 200


async def test_one_that_lost_everything_comes_back_without_a_push(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await serving(scene)
    out_of_reach(amphora)
    lose_everything(amphora)
    await bench.until_types(amphora, "booted", "configured", "drifted", "configured")
    given, drifted, again = (await bench.events(amphora))[1:]
    assert (drifted.found, again.digest, again.result) == ("", given.digest, "reload")
    assert await scene.answers() == 200
    await bench.stop()
    await bench.start()
    await bench.order(scene.configure(2, weight=7))
    await bench.until_types(amphora, "booted", "configured", "drifted", "configured", "configured")


async def test_what_is_fenced_fetches_nothing_that_serves(scene: Scene) -> None:
    bench, amphora = scene.bench, scene.amphora
    await serving(scene)
    await bench.stop()
    out_of_reach(amphora)
    await bench.start()
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "booted", "configured", "fenced")
    lose_everything(amphora)
    await until(lambda: _haproxy_runs(amphora), lambda runs: not runs)
    assert await scene.answers() == 0


async def _haproxy_runs(amphora: Amphora) -> bool:
    return any("haproxy.cfg" in line for line in processes(amphora).values())
