"""Other programs: run one to its end with a deadline, or keep one running beyond the agent's own life. Knows none by name."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from actium_amphora_agent.errors import Trouble

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_OUTPUT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    output: str


async def run(
    argv: Sequence[str], *, deadline_s: float, stdin: bytes = b"", most_bytes: int = _OUTPUT_BYTES
) -> Finished:
    """
    Run a program to its end; stdout and stderr together, of both no more than `most_bytes`.

    Raises:
        Trouble: it cannot be started, or did not end in time (and was killed).
    """
    given, said = _memory(stdin), _memory(b"")
    try:
        pid = _spawn(argv, stdin=given, output=said)
        code = await _end_of(pid, argv[0], deadline_s)
        output = os.pread(said, min(most_bytes, os.fstat(said).st_size), 0)
    finally:
        os.close(given)
        os.close(said)
    return Finished(code, output.decode(errors="replace").strip())


def _memory(content: bytes) -> int:
    # Files in memory, not pipes: a child that writes much never blocks, and nobody has to read along.
    memory = os.memfd_create("amphora", os.MFD_CLOEXEC)
    os.write(memory, content)
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def _spawn(argv: Sequence[str], *, stdin: int, output: int, own_session: bool = False) -> int:
    try:
        return os.posix_spawnp(
            argv[0],
            list(argv),
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0)] + [(os.POSIX_SPAWN_DUP2, output, fd) for fd in (1, 2)],
            setsid=own_session,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them, and children would inherit that
        )
    except OSError as exc:
        raise Trouble(f"cannot start {argv[0]}: {exc.strerror}") from exc


async def _end_of(pid: int, name: str, deadline_s: float) -> int:
    pid_fd = os.pidfd_open(pid)
    try:
        await _readable(pid_fd, deadline_s)
    except TimeoutError as exc:
        raise Trouble(f"{name} did not end within {deadline_s} s") from exc
    finally:
        os.close(pid_fd)
        code = _reap(pid)
    return code


def _once(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _readable(fd: int, deadline_s: float) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(fd, _once, ended)
    try:
        async with asyncio.timeout(deadline_s):
            await ended
    finally:
        loop.remove_reader(fd)


def _reap(pid: int) -> int:
    """The exit code of our own child; one that still runs is killed first."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


class Daemon:
    """
    One long-running program, recognised by `marker`, a word of its command line that no other program carries.

    It is found by looking at /proc, not by a pid file: the kernel's word holds after any kill, of it or of the agent.
    """

    def __init__(self, argv: Sequence[str], *, marker: str, output: Path, on_end: Callable[[], None]) -> None:
        self._argv = argv
        self._marker = os.fsencode(marker)
        self._output = output
        self._on_end = on_end
        self._pid_fd = -1
        self.pid: int | None = None
        self.started_at: float | None = None

    def find(self) -> list[int]:
        """Every process with the marker whose parent has it not."""
        pids = self._family()
        return sorted(pid for pid in pids if _parent(pid) not in pids)

    def _family(self) -> set[int]:
        running = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return {pid for pid in running if self._is_ours(pid)}

    def _is_ours(self, pid: int) -> bool:
        try:
            return self._marker in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False  # it ended while we looked

    def adopt(self, pid: int) -> None:
        self._watch(pid)

    def start(self, argv: Sequence[str] | None = None) -> None:
        """Start it in a session of its own, so that it outlives the agent; `argv` where it is to be another way this time."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        output, nothing = os.open(self._output, flags, 0o600), os.open(os.devnull, os.O_RDONLY)
        try:
            pid = _spawn(argv or self._argv, stdin=nothing, output=output, own_session=True)
        finally:
            os.close(output)
            os.close(nothing)
        self._watch(pid)

    def words(self) -> str:
        """What it wrote last."""
        with self._output.open("rb") as file:
            file.seek(max(0, self._output.stat().st_size - _OUTPUT_BYTES))
            return file.read().replace(b"\0", b"").decode(errors="replace").strip()

    def forget_words(self, *, beyond_bytes: int = 0) -> None:
        """Opened for appending, so the program goes on writing at the new end."""
        if self._output.exists() and self._output.stat().st_size > beyond_bytes:
            os.truncate(self._output, 0)

    def signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            signal.pidfd_send_signal(self._pid_fd, number)

    async def stop(self, *, deadline_s: float) -> None:
        if self.pid is None:
            return
        pid_fd = os.dup(self._pid_fd)
        try:
            self.signal(signal.SIGTERM)
            await _readable(pid_fd, deadline_s)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await _readable(pid_fd, deadline_s)
        finally:
            os.close(pid_fd)
        self._ended()

    def kill_strays(self) -> None:
        """What an earlier life left behind would share the ports and serve an old configuration."""
        for pid in self._family():
            if self.pid is None or self.pid not in (pid, _parent(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _watch(self, pid: int) -> None:
        self.pid, self._pid_fd = pid, os.pidfd_open(pid)
        self.started_at = _started_at(pid)
        asyncio.get_running_loop().add_reader(self._pid_fd, self._ended)

    def _ended(self) -> None:
        if self.pid is None:
            return
        asyncio.get_running_loop().remove_reader(self._pid_fd)
        os.close(self._pid_fd)
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass  # adopted: init reaps it
        self.pid, self._pid_fd, self.started_at = None, -1, None
        self._on_end()


def _stat_fields(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the name in brackets may hold anything


def _parent(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else None


def _started_at(pid: int) -> float | None:
    if not (fields := _stat_fields(pid)):
        return None
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return round(booted_at + int(fields[19]) / _CLOCK_TICKS, 2)
