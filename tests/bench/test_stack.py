"""How long the whole world takes to start and to end, and how much memory it takes at rest."""

import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from actium_embedded import supervisor
from actium_embedded.running import read_record
from bench.figures import Figures, repeats, timed
from bench.peers import runs
from bench.test_create import web
from bench.traffic import ask
from system.worlds import Tenant, TestWorld, a_name, await_value, commands_in, free_port

IMPORTS_MOST = 12
"""A fresh world is up in so many times of what one process takes to import what it needs. Four are usual, for six at once."""

REST_S = 5.0
PARTS = {"/init": "init", "actium_amphora_agent": "agent", "haproxy": "haproxy (master and worker)"}


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[TestWorld]:
    """A second one: the folder's other benches go on with theirs."""
    world = TestWorld(tmp_path / "world", a_name("u"))
    yield world
    if world.folder.exists():
        world.down(wipe=True)


@pytest.mark.timeout(900)  # twenty times, where it is measured in earnest
def test_up_and_down(own_world: TestWorld, figures: Figures) -> None:
    fresh: list[float] = []
    warm: list[float] = []
    first_answer: list[float] = []
    down: list[float] = []
    for _ in range(repeats(1, 20)):
        with timed(fresh):
            own_world.up(port=free_port())
        vip = a_web(own_world)
        with timed(down):
            own_world.down()
        with timed(first_answer):
            with timed(warm):
                own_world.up()
            await_value(partial(ask, vip), bool, 30)
        with timed(down):
            own_world.down()
        own_world.actium("down", "--wipe")
    up = figures.tell("stack: up of a fresh world", fresh, "ms")
    figures.tell("stack: up of a world with one load balancer", warm, "ms")
    figures.tell("stack: up of a world until its load balancer answers", first_answer, "ms")
    figures.tell("stack: down of a world with one load balancer", down, "ms")
    imports = [sys.executable, "-c", "import fastapi, uvicorn, sqlalchemy, alembic, nats, msgspec"]
    took = runs(imports, count=repeats(2, 10))
    bare = figures.tell("python importing what a service imports [peer]", took, "ms")
    figures.hold("stack: up of a fresh world, to a service's imports", up.median, bare.median, most=IMPORTS_MOST)


def a_web(world: TestWorld) -> str:
    """Give the VIP of a new load balancer that answers."""
    import httpx

    world.actium("backend", "start", "one", "--network", "tenant-a", "--address", "10.1.0.10")
    subnets = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
    public = next(subnet["id"] for subnet in subnets if subnet["name"] == "public")
    tenant = Tenant(world.facts.api_url)
    lb = tenant.create("loadbalancer", **web(public, "10.1.0.10"))
    await_value(lambda: ask(lb["vip_address"]), bool, 30)
    return str(lb["vip_address"])


def test_memory_at_rest(
    world: TestWorld, tenant: Tenant, public: str, backends: dict[str, str], figures: Figures
) -> None:
    lb = tenant.create("loadbalancer", **web(public, backends["one"]))
    tenant.wait(lb["id"])
    time.sleep(REST_S)  # rest is what is measured
    total = 0.0
    for name in (supervisor.NAME, *(process.name for process in supervisor.read_table(world.facts))):
        record = read_record(world.facts.run, name)
        assert record is not None
        figures.tell(f"memory: {name}", [pss := pss_mib(record.pid)], "MiB")
        total += pss
    figures.tell("memory: all processes of the world", [total], "MiB")
    (amphora_id,) = world.amphorae()
    commands = commands_in(f"amphora-{amphora_id}") | commands_in(f"amphora-{amphora_id}-traffic")
    parts = dict.fromkeys(PARTS.values(), 0.0)
    for pid, command in commands.items():
        part = next((part for word, part in PARTS.items() if word in command), None)
        if part is not None:  # what only holds a namespace open counts for the whole
            parts[part] += pss_mib(pid)
    for part, mib in parts.items():
        figures.tell(f"memory: amphora's {part}", [mib], "MiB")
    figures.tell("memory: one amphora", [sum(map(pss_mib, commands))], "MiB", note=f"{len(commands)} processes")


def pss_mib(pid: int) -> float:
    """What the process holds, shared pages divided among those that share them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
