"""Back ends answer on their networks, outlive the supervisor, come back after a `down`, and leave nothing when stopped."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from actium_embedded import backends, down, running, supervisor
from actium_embedded.backends import Backend
from actium_embedded.errors import WorldError
from actium_embedded.world import World
from system.embedded.helpers import await_true, bring_up, snapshot

pytestmark = pytest.mark.root


def answer(world: World, backend: Backend, *, method: str = "GET") -> str:
    """Ask it from the router, which every tenant network is attached to."""
    code = f"""
import http.client
connection = http.client.HTTPConnection("{backend.address}", {backend.port}, timeout=5)
for _ in range(2):  # the second request uses the same connection
    connection.request("{method}", "/any/where", body=b"x" * 1000)
    response = connection.getresponse()
    print(response.status, response.getheader("X-Backend"), response.read().decode().strip())
"""
    command = ["ip", "netns", "exec", world.router_namespace, "python3", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def test_back_end_answers_with_its_name_and_leaves_nothing_when_stopped(folder: Path) -> None:
    world = bring_up(folder)
    before = snapshot()
    backend = backends.start(world, "web1", network="tenant-a", port=8080)
    assert answer(world, backend) == "200 web1 web1\n" * 2
    assert answer(world, backend, method="POST") == "200 web1 web1\n" * 2
    backends.forget(world, "web1")
    assert snapshot() == before
    assert backends.wished(world) == ()


def test_back_ends_have_addresses_of_their_own_outside_of_the_pool(folder: Path) -> None:
    world = bring_up(folder)
    made = [backends.start(world, name, network="tenant-a", port=80) for name in ("a", "b")]
    made.append(backends.start(world, "c", network="tenant-a", port=80, address="10.1.0.50"))
    assert [backend.address for backend in made] == ["10.1.0.10", "10.1.0.11", "10.1.0.50"]


def test_starting_one_that_runs_changes_nothing(folder: Path) -> None:
    world = bring_up(folder)
    backend = backends.start(world, "web1", network="tenant-a", port=80)
    before = backends.find(world, backend)
    assert backends.start(world, "web1", network="tenant-a", port=80) == backend
    assert backends.find(world, backend) == before


def test_back_end_that_was_killed_is_started_by_asking_again(folder: Path) -> None:
    world = bring_up(folder)
    backend = backends.start(world, "web1", network="tenant-b", port=80)
    found = backends.find(world, backend)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    await_true(lambda: not backends.find(world, backend))
    backends.start(world, "web1", network="tenant-b", port=80)
    assert answer(world, backend).startswith("200 web1")


def test_back_end_outlives_the_supervisor(folder: Path) -> None:
    world = bring_up(folder)
    backend = backends.start(world, "web1", network="tenant-a", port=80)
    found = running.find(world, supervisor.NAME)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    assert answer(world, backend).startswith("200 web1")


def test_back_end_comes_back_after_down_and_up(folder: Path) -> None:
    before = snapshot()
    world = bring_up(folder)
    backend = backends.start(world, "web1", network="tenant-a", port=80)
    down.bring_down(world)
    assert snapshot() == before
    bring_up(folder)
    assert answer(world, backend).startswith("200 web1")


def test_back_end_of_a_world_that_is_down_is_refused_and_not_remembered(folder: Path) -> None:
    world = bring_up(folder)
    down.bring_down(world)
    with pytest.raises(WorldError, match="the world is not up"):
        backends.start(world, "web1", network="tenant-a", port=80)
    assert backends.wished(world) == ()


@pytest.mark.parametrize(
    ("name", "network", "address", "words"),
    [
        ("Web 1", "tenant-a", None, "small letters"),
        ("web1", "nowhere", None, "there is no network 'nowhere'; there are: lb-mgmt, public"),
        ("web1", "lb-mgmt", None, "managing amphorae"),
        ("web1", "tenant-a", "10.9.0.1", "outside of tenant-a's range"),
        ("web1", "tenant-a", "10.1.0.1", "is taken"),
        ("web1", "tenant-a", "10.1.0.100", "pool"),
        ("web1", "tenant-a", "ten", "must be an IPv4 address"),
    ],
)
def test_wrong_values_are_refused_by_name_and_nothing_is_made(
    folder: Path, name: str, network: str, address: str | None, words: str
) -> None:
    world = bring_up(folder)
    before = snapshot()
    with pytest.raises(WorldError, match=words):
        backends.start(world, name, network=network, port=80, address=address)
    assert snapshot() == before
    assert backends.wished(world) == ()
