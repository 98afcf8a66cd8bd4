"""
Which process is which: a pid counts only with its start time, so that a pid used again is not taken for ours.

A process is found by its record or, where a kill -9 came between its start and the record, by the mark in its environment.
"""

import os
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from select import poll

import msgspec

from actium_embedded.files import write_atomically
from actium_embedded.world import World

MARK = "EMBEDDED_PROCESS"
"""
Environment variable `<world folder>:<name>:<command line>`. What a process starts inherits it, amphorae too, but has another
command line. Not an ACTIUM_ name: services refuse those that they do not know.
"""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Running(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    start_ticks: int
    boot_id: str
    since: float
    restarts: int = 0

    def is_alive(self) -> bool:
        return self.boot_id == boot_id() and start_ticks(self.pid) == self.start_ticks


def boot_id() -> str:
    return BOOT_ID.read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When the process started, in the kernel's ticks; None where it has ended (a zombie has)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if after_name[0] in ("Z", "X") else int(after_name[19])


def describe(pid: int, *, restarts: int = 0) -> Running | None:
    ticks = start_ticks(pid)
    if ticks is None:
        return None
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    age_s = uptime_s - ticks / os.sysconf("SC_CLK_TCK")
    return Running(pid=pid, start_ticks=ticks, boot_id=boot_id(), since=time.time() - age_s, restarts=restarts)


def record_file(world_run: Path, name: str) -> Path:
    return world_run / f"{name}.json"


def write_record(world_run: Path, name: str, running: Running) -> None:
    write_atomically(record_file(world_run, name), msgspec.json.encode(running))


def read_record(world_run: Path, name: str) -> Running | None:
    """The recorded process, whether it lives or not."""
    try:
        return msgspec.json.decode(record_file(world_run, name).read_bytes(), type=Running)
    except FileNotFoundError:
        return None


def find(world: World, name: str) -> Running | None:
    """The living process of this name, recorded or not; None where it does not run."""
    recorded = read_record(world.run, name)
    if recorded is not None and recorded.is_alive():
        return recorded
    pid = next(_marked(f"{world.folder}:{name}:"), None)
    return None if pid is None else describe(pid, restarts=recorded.restarts if recorded else 0)


def marked(world: World, name: str, command: Sequence[str]) -> dict[str, str]:
    """What the environment of a process has to hold so that it is found without its record."""
    return {MARK: f"{world.folder}:{name}:{shlex.join(command)}"}


def _marked(wanted: str) -> Iterator[int]:
    sought = f"{MARK}={wanted}".encode()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            own = (each for each in (process / "environ").read_bytes().split(b"\0") if each.startswith(sought))
            if any(_is_itself(process, found) for found in own) and start_ticks(int(process.name)):
                yield int(process.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is not ours to look into


def _is_itself(process: Path, found: bytes) -> bool:
    """Whether it runs the command of its mark, or the rest of it: `nsenter` and the like become what they start."""
    command = shlex.join((process / "cmdline").read_text(errors="surrogateescape").split("\0")[:-1])
    is_leader = os.getsid(int(process.name)) == int(process.name)
    return is_leader and bool(command) and os.fsdecode(found).endswith(command)


def end(running: Running, *, patience_s: float) -> bool:
    """Ask the process to end, insist after `patience_s`; whether it went by itself."""
    try:
        descriptor = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return True
    try:
        if not running.is_alive():
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if _ended(descriptor, patience_s):
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _ended(descriptor, patience_s)
        return False
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)


def _ended(descriptor: int, timeout_s: float) -> bool:
    waiting = poll()
    waiting.register(descriptor)
    return bool(waiting.poll(timeout_s * 1000))
