"""Each step is killed with -9 at each moment at which it touches the system, and then simply repeated."""

import json
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from actium_compute.adapters import sandbox
from actium_shared import embedded
from actium_shared.embedded import namespaces, teardown
from contract.ports.embedded_world import (
    TIMEOUT_S,
    World,
    eventually,
    ip,
    machine_port,
    machine_wish,
    port_wish,
    traces,
)
from system.adapters import die_at

pytestmark = pytest.mark.root


@dataclass(slots=True)
class Victim:
    """Runs a step in a process that dies at a moment; false when the step had no such moment left."""

    orders: IO[str]
    answers: IO[str]

    def dies(self, step: str, moment: int, **wish: str) -> bool:
        print(json.dumps({"step": step, "moment": moment} | wish), file=self.orders, flush=True)
        answer = self.answers.readline().strip()
        assert answer in {die_at.DONE, die_at.KILLED}
        return answer == die_at.KILLED


@pytest.fixture
def victim(world: World) -> Iterator[Victim]:
    command = [sys.executable, "-m", "system.adapters.die_at", str(world.folder), world.name]
    tests = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tests) as process:
        assert process.stdin
        assert process.stdout
        yield Victim(process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(TIMEOUT_S) == 0


async def at_every_moment(dies: Callable[[int], bool], check: Callable[[], Awaitable[None]]) -> int:
    moment = 1
    while dies(moment):
        await check()
        moment += 1
    await check()
    return moment - 1


def picture(world: World) -> list[tuple[str, ...]]:
    """What stands: links that are switched on, and addresses; not what the kernel makes of them a moment later."""
    found = []
    for name in (world.plan.namespace, world.plan.router):
        links = json.loads(ip("-n", name, "-j", "addr"))
        found += [
            (
                name,
                link["ifname"],
                str("UP" in link["flags"]),
                *(address["local"] for address in link["addr_info"] if address["scope"] != "link"),
            )
            for link in links
        ]
    return sorted(found)


def console(world: World, amphora_id: str) -> list[str]:
    return (world.amphorae / amphora_id / "console.log").read_text().splitlines()


def first_processes(namespace: str) -> list[int]:
    return [pid for pid in namespaces.processes([namespace])[namespace] if sandbox.is_running([pid])]


async def test_the_fabric(world: World, victim: Victim) -> None:
    whole = picture(world)

    async def check() -> None:
        await world.fabric().ensure()
        assert picture(world) == whole
        world.remove()
        assert traces(world.name) == []

    world.remove()
    assert await at_every_moment(lambda moment: victim.dies("ensure", moment), check) > 20


async def test_a_port(world: World, victim: Victim) -> None:
    fabric = world.fabric()
    wish = port_wish(world.network_id("lb-mgmt"))
    end, machine = embedded.fabric_end(wish.port_id), embedded.machine_end(wish.port_id)

    async def check() -> None:
        await fabric.create_port(wish, timeout_s=TIMEOUT_S)
        assert await fabric.ports() == [wish.port_id]
        assert "UP" in ip("-n", world.plan.namespace, "link", "show", end)
        assert wish.port_id in ip("-n", world.plan.namespace, "link", "show", machine)
        await fabric.delete_port(wish.port_id, timeout_s=TIMEOUT_S)
        assert await fabric.ports() == []

    assert await at_every_moment(lambda moment: victim.dies("create_port", moment, port_id=wish.port_id), check) > 2


async def test_a_boot(world: World, victim: Victim) -> None:
    fabric, machines, amphora_id = world.fabric(), world.machines(), str(uuid.uuid4())
    wish = port_wish(world.network_id("lb-mgmt"))
    await fabric.create_port(wish, timeout_s=TIMEOUT_S)
    name = embedded.amphora_namespace(amphora_id)

    async def check() -> None:
        await machines.boot(machine_wish(amphora_id, machine_port(wish.port_id)), timeout_s=TIMEOUT_S)
        assert await machines.power(amphora_id)
        assert sorted(namespaces.links(name)) == ["lo", "mgmt0"]
        assert "10.250.1.1/16" in ip("-n", name, "addr", "show", "mgmt0")
        await eventually(lambda: console(world, amphora_id) != [])
        assert console(world, amphora_id) == ["started"]  # once, and not twice
        assert len(first_processes(name)) == 1
        await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
        assert traces(amphora_id) == []
        await fabric.create_port(wish, timeout_s=TIMEOUT_S)

    def dies(moment: int) -> bool:
        return victim.dies("boot", moment, amphora_id=amphora_id, port_id=wish.port_id)

    assert await at_every_moment(dies, check) > 20


async def test_a_deletion(world: World, victim: Victim) -> None:
    fabric, machines, amphora_id = world.fabric(), world.machines(), str(uuid.uuid4())
    wishes = [port_wish(world.network_id("lb-mgmt")), port_wish(world.network_id("public"))]

    async def make() -> None:
        for wish in wishes:
            await fabric.create_port(wish, timeout_s=TIMEOUT_S)
        management, vip = (machine_port(wish.port_id) for wish in wishes)
        await machines.boot(machine_wish(amphora_id, management), timeout_s=TIMEOUT_S)
        await machines.attach(amphora_id, vip, timeout_s=TIMEOUT_S)

    async def check() -> None:
        await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
        assert traces(amphora_id) == []
        assert await fabric.ports() == []
        assert list(world.amphorae.iterdir()) == []
        await make()

    await make()
    assert await at_every_moment(lambda moment: victim.dies("delete", moment, amphora_id=amphora_id), check) > 10


async def test_an_attachment_and_a_detachment(world: World, victim: Victim) -> None:
    fabric, machines, amphora_id = world.fabric(), world.machines(), str(uuid.uuid4())
    management, vip = port_wish(world.network_id("lb-mgmt")), port_wish(world.network_id("public"))
    for wish in (management, vip):
        await fabric.create_port(wish, timeout_s=TIMEOUT_S)
    await machines.boot(machine_wish(amphora_id, machine_port(management.port_id)), timeout_s=TIMEOUT_S)
    end, name = embedded.machine_end(vip.port_id), embedded.amphora_namespace(amphora_id)

    async def attach() -> None:
        await machines.attach(amphora_id, machine_port(vip.port_id), timeout_s=TIMEOUT_S)
        assert end in namespaces.links(name)

    async def detach() -> None:
        await machines.detach(amphora_id, vip.port_id, timeout_s=TIMEOUT_S)
        assert end in namespaces.links(world.plan.namespace)

    async def check_attached() -> None:
        await attach()
        await detach()

    async def check_detached() -> None:
        await detach()
        await attach()

    names = {"amphora_id": amphora_id, "port_id": vip.port_id}
    await at_every_moment(lambda moment: victim.dies("attach", moment, **names), check_attached)
    await attach()
    await at_every_moment(lambda moment: victim.dies("detach", moment, **names), check_detached)


async def test_a_whole_world_removed_twice_is_no_error(world: World) -> None:
    for _ in range(2):
        teardown.remove_world(world.plan.namespace, world.plan.router, world.plan.host_link, ["absent"])
    assert traces(world.name) == []
