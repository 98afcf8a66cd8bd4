"""Machines that are switched on at once and have nothing behind them: for tests, and for load tests of the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from actium_compute.adapters.hosts import choose_host
from actium_compute.adapters.register import Record
from actium_compute.ports import Machine, MachinePort, MachineWish
from actium_shared.errors import RetryableError


class MemoryMachines:
    """`Machines` that only remembers."""

    boots_at_once = 32

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = tuple(hosts)
        self._machines: dict[str, Machine] = {}
        self._placed: dict[str, Record] = {}
        self.attached: dict[str, set[str]] = {}

    def put(self, record: Record) -> None:
        """Have this machine, with no ports."""
        self._placed[record.amphora_id] = record
        self._machines[record.amphora_id] = Machine(compute_id=record.amphora_id, host=record.host)
        self.attached[record.amphora_id] = set()

    async def boot(self, machine: MachineWish, *, timeout_s: float) -> Machine:  # noqa: ARG002 - takes no time
        if known := self._machines.get(machine.amphora_id):
            self._machines[machine.amphora_id] = replace(known, powered=True)
        else:
            host = choose_host(machine, self._hosts, self._placed.values())
            self.put(
                Record(
                    amphora_id=machine.amphora_id,
                    image_tag=machine.image_tag,
                    host=host,
                    group=machine.group,
                    spread=machine.spread,
                )
            )
            self.attached[machine.amphora_id] = {machine.management_port.port_id}
        return self._machines[machine.amphora_id]

    async def attach(self, amphora_id: str, port: MachinePort, *, timeout_s: float) -> None:  # noqa: ARG002
        if amphora_id not in self._machines:
            raise RetryableError(f"amphora {amphora_id} does not exist")
        self.attached[amphora_id].add(port.port_id)

    async def detach(self, amphora_id: str, port_id: str, *, timeout_s: float) -> None:  # noqa: ARG002
        self.attached.get(amphora_id, set()).discard(port_id)

    async def cut_links(self, amphora_id: str) -> None:
        self.attached.get(amphora_id, set()).clear()

    async def power_off(self, amphora_id: str, *, timeout_s: float) -> None:  # noqa: ARG002
        if known := self._machines.get(amphora_id):
            self._machines[amphora_id] = replace(known, powered=False)

    async def delete(self, amphora_id: str, *, timeout_s: float) -> None:  # noqa: ARG002
        self._machines.pop(amphora_id, None)
        self._placed.pop(amphora_id, None)
        self.attached.pop(amphora_id, None)

    async def running(self) -> Mapping[str, Machine]:
        return dict(self._machines)

    async def leftovers(self) -> frozenset[str]:
        return frozenset()

    async def tidy(self) -> None:
        """Nothing is written."""

    async def power(self, amphora_id: str) -> bool:
        return amphora_id in self._machines and self._machines[amphora_id].powered
