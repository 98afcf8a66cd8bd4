"""
Machines as namespaces on this machine: the embedded world. Needs root.

Only the order of things is here; files are in `register`, links in `plumbing`, processes in `sandbox`.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from actium_compute.adapters import sandbox
from actium_compute.adapters.hosts import choose_host
from actium_compute.adapters.plumbing import Plumbing
from actium_compute.adapters.register import Record, Register
from actium_compute.ports import Machine, MachinePort, MachineWish
from actium_shared import embedded
from actium_shared.embedded import namespaces, teardown
from actium_shared.embedded.deadline import Deadline
from actium_shared.embedded.threads import to_the_end
from actium_shared.errors import PermanentError

CUT_TIMEOUT_S = 5.0
"""For a few link changes; a fence that takes longer has failed, and its caller repeats it."""

CUTS_AT_ONCE = 4
LOOKS_AT_ONCE = 2
"""In threads of their own: everybody's may all be taken by boots that hang."""

LOOK_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSettings:
    """Where things are. `python` runs the agent; not a virtual environment's: packages come from the image."""

    images_folder: Path
    amphorae_folder: Path
    fabric_namespace: str
    python: Path = field(default_factory=lambda: Path(sys.executable).resolve())
    hosts: tuple[str, ...] = ("host-1", "host-2", "host-3")


class NamespaceMachines:
    """`Machines` by namespaces. Implements the promises of `ports`."""

    boots_at_once = 4
    """A boot is mostly the start of a Python: more at once make all of them late."""

    def __init__(self, settings: NamespaceSettings) -> None:
        self._settings = settings
        self._register = Register(settings.amphorae_folder)
        self._plumbing = Plumbing(settings.fabric_namespace)
        self._cut: set[str] = set()
        self._cutting = ThreadPoolExecutor(CUTS_AT_ONCE, thread_name_prefix="cut")
        self._looking = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look")
        self._placing = asyncio.Lock()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def boot(self, machine: MachineWish, *, timeout_s: float) -> Machine:
        deadline = Deadline(timeout_s, f"boot of amphora {machine.amphora_id}")
        async with self._lock(machine.amphora_id):
            async with self._placing:
                record = await to_the_end(partial(self._place, machine))
            await to_the_end(partial(self._boot, machine, record, deadline))
        return _machine(record, powered=True)

    async def attach(self, amphora_id: str, port: MachinePort, *, timeout_s: float) -> None:
        deadline = Deadline(timeout_s, f"attachment of port {port.port_id}")
        await self._alone(amphora_id, partial(self._attach, amphora_id, port.port_id, deadline))

    async def detach(self, amphora_id: str, port_id: str, *, timeout_s: float) -> None:
        deadline = Deadline(timeout_s, f"detachment of port {port_id}")
        await self._alone(amphora_id, partial(self._plumbing.detach, amphora_id, port_id, deadline))

    async def cut_links(self, amphora_id: str) -> None:
        # Without the amphora's lock: a fence does not wait for a boot or an attachment that hangs. What is attached in
        # this moment sees that it is cut, or is seen here.
        self._cut.add(amphora_id)
        deadline = Deadline(CUT_TIMEOUT_S, f"fence around amphora {amphora_id}")
        await to_the_end(partial(self._plumbing.cut, amphora_id, deadline), threads=self._cutting)

    async def power_off(self, amphora_id: str, *, timeout_s: float) -> None:
        deadline = Deadline(timeout_s, f"end of amphora {amphora_id}")
        names = (embedded.amphora_namespace(amphora_id), embedded.traffic_namespace(amphora_id))
        await self._alone(amphora_id, partial(namespaces.kill_processes, names, deadline))

    async def delete(self, amphora_id: str, *, timeout_s: float) -> None:
        await self._alone(amphora_id, partial(self._delete, amphora_id, timeout_s))
        self._cut.discard(amphora_id)

    async def running(self) -> Mapping[str, Machine]:
        return await to_the_end(self._running, threads=self._looking)

    async def leftovers(self) -> frozenset[str]:
        return await to_the_end(self._leftovers, threads=self._looking)

    async def tidy(self) -> None:
        await to_the_end(self._register.trim_consoles, threads=self._looking)

    async def power(self, amphora_id: str) -> bool:
        name = embedded.amphora_namespace(amphora_id)
        found = await to_the_end(partial(namespaces.processes, [name]), threads=self._looking)
        return sandbox.is_running(found.get(name, []))

    def _place(self, machine: MachineWish) -> Record:
        if record := self._register.record(machine.amphora_id):
            return record
        if not self._has_image(machine.image_tag):
            raise PermanentError(f"amphora {machine.amphora_id}: there is no image {machine.image_tag!r}")
        others = [other for other in map(self._register.record, self._register.ids()) if other]
        record = Record(
            amphora_id=machine.amphora_id,
            image_tag=machine.image_tag,
            host=choose_host(machine, self._settings.hosts, others),
            group=machine.group,
            spread=machine.spread,
        )
        self._register.write(record)
        return record

    def _has_image(self, tag: str) -> bool:
        """Say whether there is such an image: a tag, whoever wrote it, is a name in the folder and no way out of it."""
        is_name = bool(tag) and tag == Path(tag).name and not tag.startswith(".")
        return is_name and (self._settings.images_folder / tag / "init").exists()

    def _boot(self, machine: MachineWish, record: Record, deadline: Deadline) -> None:
        name = embedded.amphora_namespace(machine.amphora_id)
        if sandbox.is_running(namespaces.processes([name]).get(name, [])):
            return
        launch = sandbox.Launch(
            amphora_id=machine.amphora_id,
            image=(self._settings.images_folder / record.image_tag).resolve(),  # the tag may move on
            secrets=self._register.write_secrets(machine.amphora_id, machine.files()),
            python=self._settings.python,
            console=self._register.console(machine.amphora_id),
        )
        self._plumbing.prepare(machine.amphora_id, machine.management_port, deadline)
        self._keep_cut(machine.amphora_id, deadline)
        sandbox.start(launch, deadline)

    def _attach(self, amphora_id: str, port_id: str, deadline: Deadline) -> None:
        self._plumbing.attach(amphora_id, port_id, deadline)
        self._keep_cut(amphora_id, deadline)

    def _keep_cut(self, amphora_id: str, deadline: Deadline) -> None:
        if amphora_id in self._cut:
            self._plumbing.cut(amphora_id, deadline)

    def _leftovers(self) -> frozenset[str]:
        known = set(self._register.ids())
        unknown = self._plumbing.amphorae() - known
        deadline = Deadline(LOOK_TIMEOUT_S, "search for leftovers")
        return frozenset(each for each in unknown if self._plumbing.is_ours(each, deadline)) - set(self._register.ids())

    def _delete(self, amphora_id: str, timeout_s: float) -> None:
        teardown.remove_amphora(amphora_id, timeout_s=timeout_s)
        self._register.remove(amphora_id)

    def _running(self) -> dict[str, Machine]:
        ids = self._register.ids()
        found = namespaces.processes(map(embedded.amphora_namespace, ids))
        machines = {}
        for amphora_id in ids:
            record = self._register.record(amphora_id) or Record(amphora_id=amphora_id, image_tag="", host="")
            powered = sandbox.is_running(found.get(embedded.amphora_namespace(amphora_id), []))
            machines[amphora_id] = _machine(record, powered=powered)
        return machines

    async def _alone(self, amphora_id: str, work: Callable[[], None]) -> None:
        async with self._lock(amphora_id):
            await to_the_end(work)

    def _lock(self, amphora_id: str) -> asyncio.Lock:
        return self._locks.setdefault(amphora_id, asyncio.Lock())


def _machine(record: Record, *, powered: bool) -> Machine:
    return Machine(compute_id=record.amphora_id, host=record.host, powered=powered)
