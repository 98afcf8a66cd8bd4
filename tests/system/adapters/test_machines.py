"""Machines in namespaces: many at once, given up, without power; what is in them, and what is left of them."""

import asyncio
import os
import signal
import stat
import uuid
from contextlib import suppress

import pytest

from actium_compute.adapters.images import Images
from actium_compute.adapters.namespaces import NamespaceMachines
from actium_network.adapters.netlink import NetlinkFabric
from actium_shared import embedded
from actium_shared.embedded import namespaces
from actium_shared.errors import RetryableError
from contract.ports.embedded_world import IMAGE, TIMEOUT_S, World, eventually, machine_port, machine_wish, traces
from system.adapters.wiring import boot, port

pytestmark = pytest.mark.root


async def test_eight_boots_and_deletions_at_once(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(8)]
    await asyncio.gather(
        *(
            boot(world, fabric, machines, amphora_id, address=f"10.250.1.{number}")
            for number, amphora_id in enumerate(ids, start=1)
        )
    )
    found = await machines.running()
    assert sorted(found) == sorted(ids)
    assert all(machine.powered for machine in found.values())
    assert sorted(machine.host for machine in found.values()).count("host-1") in {2, 3}
    await asyncio.gather(*(machines.delete(amphora_id, timeout_s=TIMEOUT_S) for amphora_id in ids))
    assert await machines.running() == {}
    assert traces(*ids) == []
    assert await fabric.ports() == []


async def test_a_caller_that_gives_up_leaves_a_machine_that_can_be_deleted(
    world: World, fabric: NetlinkFabric, machines: NamespaceMachines
) -> None:
    amphora_id = str(uuid.uuid4())
    booting = asyncio.create_task(boot(world, fabric, machines, amphora_id, address="10.250.1.1"))
    await eventually((world.amphorae / amphora_id).exists)
    booting.cancel()
    await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
    await asyncio.wait([booting])
    assert traces(amphora_id) == []
    assert await machines.running() == {}


async def test_keys_are_readable_by_root_only_and_go_with_the_amphora(
    machines: NamespaceMachines, amphora_id: str
) -> None:
    folder = embedded.secrets_folder(amphora_id)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in folder.iterdir()] == [("heartbeat.key", 0o600)]
    await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
    assert not folder.exists()


async def test_an_amphora_that_lost_its_power_is_seen_and_boots_again(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    amphora_id = str(uuid.uuid4())
    wish = machine_wish(amphora_id, machine_port(await port(world, fabric, "lb-mgmt")))
    first = await machines.boot(wish, timeout_s=TIMEOUT_S)
    for pid in namespaces.processes([embedded.amphora_namespace(amphora_id)])[embedded.amphora_namespace(amphora_id)]:
        with suppress(ProcessLookupError):  # the end of one is the end of all
            os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not namespaces.processes([embedded.amphora_namespace(amphora_id)]))
    assert not await machines.power(amphora_id)
    assert not (await machines.running())[amphora_id].powered
    assert await machines.boot(wish, timeout_s=TIMEOUT_S) == first
    assert await machines.power(amphora_id)


async def test_an_init_that_ends_is_told_with_its_last_words_and_not_taken_for_power(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    (world.folder / "images" / IMAGE / "init").write_text("echo no agent here >&2; exit 3\n")
    wish = machine_wish(str(uuid.uuid4()), machine_port(await port(world, fabric, "lb-mgmt")))
    try:
        await machines.boot(wish, timeout_s=TIMEOUT_S)
    except RetryableError as exc:
        assert "no agent here" in str(exc)  # noqa: PT017 - it may also have been seen alive for a moment
    name = embedded.amphora_namespace(wish.amphora_id)
    await eventually(lambda: not namespaces.processes([name]))
    assert not await machines.power(wish.amphora_id)


async def test_the_amphora_has_what_its_init_needs_and_nothing_of_ours(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    (world.folder / "images" / IMAGE / "init").write_text(
        "env | sort; echo pid $$; ls /sys/class/net; ls /proc/self/fd | wc -l; readlink /proc/self/ns/net; sleep 1000\n"
    )
    amphora_id = str(uuid.uuid4())
    wish = machine_wish(amphora_id, machine_port(await port(world, fabric, "lb-mgmt")))
    await machines.boot(wish, timeout_s=TIMEOUT_S)
    console = world.amphorae / amphora_id / "console.log"
    await eventually(lambda: "net:[" in console.read_text())
    said = console.read_text().splitlines()
    assert [line.split("=")[0] for line in said if "=" in line] == [
        "AMPHORA_CONFIG", "AMPHORA_ID", "AMPHORA_IMAGE", "AMPHORA_PYTHON", "AMPHORA_TRAFFIC_NAMESPACE", "PATH", "PWD",
    ]  # fmt: skip
    assert {"pid 1", "lo", "mgmt0"} <= set(said)
    assert f"net:[{(namespaces.FOLDER / embedded.amphora_namespace(amphora_id)).stat().st_ino}]" in said


async def test_the_image_that_is_built_here_starts_its_agent_again_and_again(
    world: World, machines: NamespaceMachines, fabric: NetlinkFabric
) -> None:
    tag = Images(world.folder / "images").build("default")
    amphora_id = str(uuid.uuid4())
    port_id = await port(world, fabric, "lb-mgmt")
    wish = machine_wish(amphora_id, machine_port(port_id), image_tag=tag, files=lambda: {"amphora.json": b"{}"})
    await machines.boot(wish, timeout_s=TIMEOUT_S)
    console = world.amphorae / amphora_id / "console.log"
    await eventually(lambda: console.read_text().count("the agent ended") >= 2, timeout_s=20)
    assert "/run/amphora/config/" in console.read_text()  # what it misses, by name
    assert await machines.power(amphora_id)
