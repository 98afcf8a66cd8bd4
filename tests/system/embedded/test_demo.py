"""The whole: real services, a load balancer made by the stock client, traffic through it, and nothing left of it all."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from actium_embedded import running
from actium_embedded import world as worlds
from actium_embedded.world import CHECKOUT
from system.embedded.helpers import await_true, snapshot

pytestmark = [pytest.mark.root, pytest.mark.timeout(400)]


def actium(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [CHECKOUT / "actium", "--world", str(folder), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def well(folder: Path, *words: str) -> str:
    done = actium(folder, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_demo_spreads_requests_over_both_back_ends_and_leaves_nothing(folder: Path) -> None:
    before = snapshot()
    said = well(folder, "demo", "--requests", "40", "--down")
    assert "40 requests: web-a 20, web-b 20, failed 0" in said
    assert snapshot() == before


def test_load_balancer_serves_again_after_down_and_up(folder: Path) -> None:
    well(folder, "demo", "--requests", "10", "--down")
    assert "web-a 5, web-b 5, failed 0" in well(folder, "demo", "--requests", "10", "--keep")
    well(folder, "down", "--wipe")
    assert not folder.exists()


def test_all_services_are_well_soon_after_each_was_killed(folder: Path) -> None:
    well(folder, "up")
    world = worlds.load(folder)
    names = [row["name"] for row in json.loads(well(folder, "status", "--json"))]
    for name in names[1:]:
        found = running.find(world, name)
        assert found is not None, name
        os.kill(found.pid, signal.SIGKILL)
    await_true(lambda: actium(folder, "status").returncode == 0, within_s=60)
    well(folder, "down")
