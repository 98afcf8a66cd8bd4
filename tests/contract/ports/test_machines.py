"""What every `Machines` promises, asked of each adapter."""

import asyncio
import json
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from actium_compute.adapters import noop
from actium_compute.adapters.memory import MemoryMachines
from actium_compute.adapters.noop import NoopMachines
from actium_compute.ports import MachinePort, Machines
from actium_shared import embedded
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.line_file import LineFile
from contract.ports.embedded_world import TIMEOUT_S, World, ip, machine_port, machine_wish, port_wish, traces

MakePort = Callable[[], Awaitable[MachinePort]]


class MachinesContract:
    async def test_a_booted_machine_runs(self, machines: Machines, make_port: MakePort) -> None:
        amphora_id = str(uuid.uuid4())
        machine = await machines.boot(machine_wish(amphora_id, await make_port()), timeout_s=TIMEOUT_S)
        assert await machines.power(amphora_id)
        assert await machines.running() == {amphora_id: machine}

    async def test_the_same_boot_again_gives_the_same_machine(self, machines: Machines, make_port: MakePort) -> None:
        wish = machine_wish(str(uuid.uuid4()), await make_port())
        machine = await machines.boot(wish, timeout_s=TIMEOUT_S)
        assert await machines.boot(wish, timeout_s=TIMEOUT_S) == machine

    async def test_machines_spread_over_hosts(self, machines: Machines, make_port: MakePort) -> None:
        wishes = [machine_wish(str(uuid.uuid4()), await make_port()) for _ in range(3)]
        booted = [await machines.boot(wish, timeout_s=TIMEOUT_S) for wish in wishes]
        assert {machine.host for machine in booted} == {"host-1", "host-2", "host-3"}

    async def test_a_host_to_be_avoided_is_avoided(self, machines: Machines, make_port: MakePort) -> None:
        wish = machine_wish(str(uuid.uuid4()), await make_port(), avoid_hosts=frozenset({"host-1", "host-2"}))
        assert (await machines.boot(wish, timeout_s=TIMEOUT_S)).host == "host-3"

    async def test_two_of_a_group_are_never_on_one_host_however_many_are_booted_at_once(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        wishes = [machine_wish(str(uuid.uuid4()), await make_port(), group="g") for _ in range(3)]
        booted = await asyncio.gather(*(machines.boot(wish, timeout_s=TIMEOUT_S) for wish in wishes))
        assert {machine.host for machine in booted} == {"host-1", "host-2", "host-3"}
        fourth = machine_wish(str(uuid.uuid4()), await make_port(), group="g")
        with pytest.raises(PermanentError, match=r"out of resources: .*host-2 has another one of its group"):
            await machines.boot(fourth, timeout_s=TIMEOUT_S)
        await machines.delete(wishes[1].amphora_id, timeout_s=TIMEOUT_S)
        assert (await machines.boot(fourth, timeout_s=TIMEOUT_S)).host == booted[1].host

    async def test_nothing_is_left_over_and_tidying_disturbs_nobody(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        wish = machine_wish(str(uuid.uuid4()), await make_port())
        await machines.boot(wish, timeout_s=TIMEOUT_S)
        await machines.tidy()
        assert await machines.power(wish.amphora_id)
        assert await machines.leftovers() == frozenset()

    async def test_a_machine_that_may_be_nowhere_is_refused(self, machines: Machines, make_port: MakePort) -> None:
        wish = machine_wish(str(uuid.uuid4()), await make_port(), host="host-2", avoid_hosts=frozenset({"host-2"}))
        with pytest.raises(PermanentError, match="host-2"):
            await machines.boot(wish, timeout_s=TIMEOUT_S)
        assert await machines.running() == {}

    async def test_ports_come_and_go_and_each_call_can_be_repeated(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        amphora_id, port = str(uuid.uuid4()), await make_port()
        await machines.boot(machine_wish(amphora_id, await make_port()), timeout_s=TIMEOUT_S)
        for _ in range(2):
            await machines.attach(amphora_id, port, timeout_s=TIMEOUT_S)
        for _ in range(2):
            await machines.detach(amphora_id, port.port_id, timeout_s=TIMEOUT_S)
        await machines.attach(amphora_id, port, timeout_s=TIMEOUT_S)

    async def test_attaching_to_a_machine_that_is_not_there_may_be_tried_later(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        with pytest.raises(RetryableError):
            await machines.attach(str(uuid.uuid4()), await make_port(), timeout_s=TIMEOUT_S)

    async def test_a_deleted_machine_is_gone_and_deleting_it_again_is_no_error(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        amphora_id = str(uuid.uuid4())
        await machines.boot(machine_wish(amphora_id, await make_port()), timeout_s=TIMEOUT_S)
        for _ in range(2):
            await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
        assert await machines.running() == {}
        assert not await machines.power(amphora_id)

    async def test_a_machine_that_is_switched_off_keeps_its_ports_and_boots_again(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        wish, port = machine_wish(str(uuid.uuid4()), await make_port()), await make_port()
        await machines.power_off(wish.amphora_id, timeout_s=TIMEOUT_S)
        machine = await machines.boot(wish, timeout_s=TIMEOUT_S)
        await machines.attach(wish.amphora_id, port, timeout_s=TIMEOUT_S)
        for _ in range(2):
            await machines.power_off(wish.amphora_id, timeout_s=TIMEOUT_S)
            assert not await machines.power(wish.amphora_id)
            assert not (await machines.running())[wish.amphora_id].powered
        assert await machines.boot(wish, timeout_s=TIMEOUT_S) == machine
        await machines.attach(wish.amphora_id, port, timeout_s=TIMEOUT_S)
        assert await machines.power(wish.amphora_id)

    async def test_nothing_is_asked_of_a_machine_to_cut_its_links(
        self, machines: Machines, make_port: MakePort
    ) -> None:
        amphora_id = str(uuid.uuid4())
        await machines.cut_links(amphora_id)
        await machines.boot(machine_wish(amphora_id, await make_port()), timeout_s=TIMEOUT_S)
        for _ in range(2):
            await machines.cut_links(amphora_id)
        assert await machines.power(amphora_id)

    def test_a_wish_does_not_show_its_keys(self) -> None:
        assert "kkkk" not in repr(machine_wish("a", machine_port("b")))


class TestMemoryMachines(MachinesContract):
    @pytest.fixture
    def machines(self) -> MemoryMachines:
        return MemoryMachines(["host-1", "host-2", "host-3"])

    @pytest.fixture
    def make_port(self) -> MakePort:
        async def make() -> MachinePort:
            return machine_port(str(uuid.uuid4()))

        return make


class TestNoopMachines(TestMemoryMachines):
    @pytest.fixture
    def machines(self, tmp_path: Path) -> NoopMachines:
        return NoopMachines(["host-1", "host-2", "host-3"], tmp_path)

    async def test_they_all_run_after_a_restart_of_whoever_made_them(
        self, machines: NoopMachines, make_port: MakePort, tmp_path: Path
    ) -> None:
        gone, *kept = [machine_wish(str(uuid.uuid4()), await make_port()) for _ in range(3)]
        for wish in (gone, *kept):
            await machines.boot(wish, timeout_s=TIMEOUT_S)
        await machines.delete(gone.amphora_id, timeout_s=TIMEOUT_S)
        again = NoopMachines(["host-1"], tmp_path)
        assert await again.running() == await machines.running()
        assert set(await again.running()) == {wish.amphora_id for wish in kept}
        await again.attach(kept[0].amphora_id, await make_port(), timeout_s=TIMEOUT_S)

    async def test_what_is_kept_does_not_grow_by_what_is_gone(
        self, machines: NoopMachines, make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(noop, "LINES_IN_VAIN_MOST", 2)
        kept, *gone = [machine_wish(str(uuid.uuid4()), await make_port()) for _ in range(4)]
        for wish in (kept, *gone):
            await machines.boot(wish, timeout_s=TIMEOUT_S)
        for wish in gone:
            await machines.delete(wish.amphora_id, timeout_s=TIMEOUT_S)
        assert await NoopMachines(["host-1"], tmp_path).running() == await machines.running()
        await machines.tidy()
        assert len(LineFile(tmp_path / "machines.jsonl").lines()) == 1
        assert await NoopMachines(["host-1"], tmp_path).running() == await machines.running()

    async def test_any_image_is_there(self, machines: NoopMachines, make_port: MakePort) -> None:
        wish = machine_wish(str(uuid.uuid4()), await make_port(), image_tag="nowhere")
        await machines.boot(wish, timeout_s=TIMEOUT_S)
        assert await machines.power(wish.amphora_id)


@pytest.mark.root
class TestNamespaceMachines(MachinesContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[World]:
        world = World.make(tmp_path)
        await world.fabric().ensure()
        yield world
        world.remove()

    @pytest.fixture
    def machines(self, world: World) -> Machines:
        return world.machines()

    @pytest.fixture
    def make_port(self, world: World) -> MakePort:
        fabric = world.fabric()

        async def make() -> MachinePort:
            wish = port_wish(world.network_id("lb-mgmt"))
            await fabric.create_port(wish, timeout_s=TIMEOUT_S)
            return machine_port(wish.port_id)

        return make

    async def test_an_unknown_image_is_refused_by_name_and_leaves_nothing(
        self, machines: Machines, make_port: MakePort, world: World
    ) -> None:
        wish = machine_wish(str(uuid.uuid4()), await make_port(), image_tag="nowhere")
        with pytest.raises(PermanentError, match="nowhere"):
            await machines.boot(wish, timeout_s=TIMEOUT_S)
        assert await machines.running() == {}

    async def test_a_boot_before_its_port_exists_may_be_tried_later(self, machines: Machines, world: World) -> None:
        wish = machine_wish(str(uuid.uuid4()), machine_port(str(uuid.uuid4())))
        with pytest.raises(RetryableError, match=wish.management_port.port_id):
            await machines.boot(wish, timeout_s=TIMEOUT_S)
        await world.fabric().create_port(
            port_wish(world.network_id("lb-mgmt"), wish.management_port.port_id), timeout_s=TIMEOUT_S
        )
        await machines.boot(wish, timeout_s=TIMEOUT_S)
        assert await machines.power(wish.amphora_id)

    async def test_groups_are_found_again_by_whoever_starts_next(
        self, machines: Machines, make_port: MakePort, world: World
    ) -> None:
        wishes = [machine_wish(str(uuid.uuid4()), await make_port(), group="g") for _ in range(2)]
        first = await machines.boot(wishes[0], timeout_s=TIMEOUT_S)
        second = await world.machines().boot(wishes[1], timeout_s=TIMEOUT_S)
        assert first.host != second.host

    async def test_what_is_attached_while_links_are_cut_is_cut_too(
        self, machines: Machines, make_port: MakePort, world: World
    ) -> None:
        amphora_id, ports = str(uuid.uuid4()), [await make_port() for _ in range(3)]
        await machines.boot(machine_wish(amphora_id, ports[0]), timeout_s=TIMEOUT_S)
        await machines.attach(amphora_id, ports[1], timeout_s=TIMEOUT_S)
        assert up_in(world) == {embedded.fabric_end(port.port_id) for port in ports}
        await machines.cut_links(amphora_id)
        assert up_in(world) == {embedded.fabric_end(ports[2].port_id)}
        await machines.attach(amphora_id, ports[2], timeout_s=TIMEOUT_S)
        assert up_in(world) == set()

    async def test_what_has_lost_its_record_is_left_over_in_its_own_world_only(
        self, machines: Machines, make_port: MakePort, world: World, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        other = World.make(tmp_path / "other")
        await other.fabric().ensure()
        try:
            amphora_id = str(uuid.uuid4())
            await machines.boot(machine_wish(amphora_id, await make_port()), timeout_s=TIMEOUT_S)
            shutil.rmtree(world.amphorae / amphora_id)
            assert await other.machines().leftovers() == frozenset()
            assert await machines.running() == {}
            assert await machines.leftovers() == {amphora_id}
            await machines.delete(amphora_id, timeout_s=TIMEOUT_S)
            assert await machines.leftovers() == frozenset()
            assert traces(amphora_id) == []
        finally:
            other.remove()


def up_in(world: World) -> set[str]:
    """The ports' ends in the fabric that carry anything."""
    shown = json.loads(ip("-n", world.plan.namespace, "-j", "link", "show", "up", "type", "veth"))
    return {link["ifname"] for link in shown if link.get("ifname", "").startswith("fab")}
