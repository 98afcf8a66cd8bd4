"""
Machines that are on at once and agents that take everything, with nothing behind them.

Which machines there are is kept in files, so that they all still run after a restart of compute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from actium_compute.adapters.memory import MemoryMachines
from actium_compute.adapters.register import Register
from actium_compute.agents import AgentStatus, Applied, Credentials, Taken
from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.amphora_drivers.noop import DIGEST
from actium_compute.ports import Machine, MachineWish

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When the certificates end that nobody shows; always the same, or agents would be taken for new ones."""


class NoopMachines(MemoryMachines):
    """`Machines` of which there is nothing but a record, kept in `folder`."""

    def __init__(self, hosts: Sequence[str], folder: Path) -> None:
        super().__init__(hosts)
        self._register = Register(folder)
        for record in filter(None, map(self._register.record, self._register.ids())):
            self.put(record)

    async def boot(self, machine: MachineWish, *, timeout_s: float) -> Machine:
        is_new = not await self.power(machine.amphora_id)
        booted = await super().boot(machine, timeout_s=timeout_s)
        if is_new:
            self._register.write(self._placed[machine.amphora_id])
        return booted

    async def delete(self, amphora_id: str, *, timeout_s: float) -> None:
        await super().delete(amphora_id, timeout_s=timeout_s)
        self._register.remove(amphora_id)


@dataclass(frozen=True, slots=True)
class NoopAgent:
    """`Agent` that runs nothing, which is what `amphora_drivers.noop` renders."""

    amphora_id: str
    address: str
    certificate_expires_at: datetime = NEVER

    async def configure(self, bundle: Bundle) -> Applied:
        return Applied(result="unchanged", digest=DIGEST, bundle=bundle.bundle, took_ms=0.0)

    async def status(self) -> AgentStatus:
        return AgentStatus(amphora_id=self.amphora_id, boot_id=self.amphora_id, digest=DIGEST)

    async def take_credentials(self, credentials: Credentials) -> Taken:  # noqa: ARG002
        """It has no use for any."""
        return Taken()


class NoopAgents:
    """`Agents` without a way to anywhere."""

    def of(self, amphora_id: str, address: str) -> NoopAgent:
        return NoopAgent(amphora_id, address)

    async def fence(self, amphora_id: str, address: str, bundle: Bundle, *, timeout_s: float) -> Applied:  # noqa: ARG002
        return await self.of(amphora_id, address).configure(bundle)

    async def probe(self, amphora_id: str, address: str, *, timeout_s: float) -> AgentStatus:  # noqa: ARG002
        return await self.of(amphora_id, address).status()

    def forget(self, amphora_id: str) -> None:
        """There is nothing to forget."""
