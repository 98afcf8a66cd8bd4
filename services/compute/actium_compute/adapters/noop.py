"""
Machines that are on at once and agents that take everything, with nothing behind them.

Which machines there are is kept in a file, so that they all still run after a restart of compute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from actium_compute.adapters.memory import MemoryMachines
from actium_compute.adapters.register import Record
from actium_compute.agents import AgentStatus, Applied, Credentials, Taken
from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.amphora_drivers.noop import DIGEST
from actium_shared.errors import RetryableError
from actium_shared.line_file import LineFile

LINES_IN_VAIN_MOST = 1000
"""Of machines that are no more, or stand twice; with more of them than that the file is written anew."""

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When the certificates end that nobody shows; always the same, or agents would be taken for new ones."""


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a machine."""

    machine: Record
    exists: bool = True


class NoopMachines(MemoryMachines):
    """
    `Machines` of which there is nothing but a record: a line in a file of `folder`.

    One file for all, as a folder for each waits for the file system, and that for the log's disk.
    """

    def __init__(self, hosts: Sequence[str], folder: Path) -> None:
        super().__init__(hosts)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = LineFile(folder / "machines.jsonl")
        lines = [msgspec.json.decode(line, type=_Line) for line in self._file.lines()]
        self._line_count = len(lines)
        newest = {line.machine.amphora_id: line for line in lines}
        for line in newest.values():
            if line.exists:
                super().put(line.machine)

    def put(self, record: Record) -> None:
        self._add(_Line(machine=record))
        super().put(record)

    async def delete(self, amphora_id: str, *, timeout_s: float) -> None:
        if (record := self._placed.get(amphora_id)) is not None:
            self._add(_Line(machine=record, exists=False))
        await super().delete(amphora_id, timeout_s=timeout_s)

    async def tidy(self) -> None:
        if self._line_count > 2 * len(self._placed) + LINES_IN_VAIN_MOST:
            self._file.replace([msgspec.json.encode(_Line(machine=record)) for record in self._placed.values()])
            self._line_count = len(self._placed)

    def _add(self, line: _Line) -> None:
        try:
            self._file.add(msgspec.json.encode(line))
        except OSError as exc:
            raise RetryableError(f"machines cannot be kept: {exc}") from exc
        self._line_count += 1


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
