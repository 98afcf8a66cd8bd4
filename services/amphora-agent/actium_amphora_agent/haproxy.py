"""
haproxy: check a configuration, start, reload seamlessly, adopt, stop; ask its sockets. Decides nothing.

The master (`-W`) runs in the traffic namespace, in its own session, with three capabilities. It outlives the agent.
"""

import asyncio
import contextlib
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from actium_amphora_agent.errors import Refused, Trouble
from actium_amphora_agent.processes import Daemon, run
from actium_amphora_agent.server_state import NOTHING
from actium_amphora_agent.store import write_atomically

SERVING_DEADLINE_S = 2.0
"""Start to a worker that serves: about 0.1 s, three times that on a busy machine."""

RELOAD_DEADLINE_S = 4.0
"""A port that another program holds is tried for 2 s before haproxy gives up and says so."""

CHECK_DEADLINE_S = 5.0
_POLL_S = 0.005
_ASK_DEADLINE_S = 2.0
_WORDS_CHARACTERS = 4_000
_OUTPUT_LIMIT_BYTES = 256 * 1024

_CAPABILITIES = "-all,+net_admin,+net_raw,+net_bind_service"
_PROCESS = re.compile(r"^(\d+)\s+(master|worker)\s+(\d+)(?: \[failed: (\d+)\])?", re.MULTILINE)
_PREFIX = re.compile(r"^\[\w+\]\s+\(\d+\) : ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Processes:
    """What the master says of itself: how often it was reloaded, whether that failed, who serves and who is leaving."""

    master: int
    reloads: int
    failed: int
    workers: tuple[int, ...]
    leaving: tuple[int, ...]


class Haproxy:
    def __init__(self, root: Path, traffic_namespace: Path, *, on_end: Callable[[], None]) -> None:
        self._root = root
        self._stats = root / "haproxy.sock"
        self._master = root / "haproxy-master.sock"
        self._states = root / "haproxy.state"
        configuration = str(root / "haproxy.cfg")
        self._daemon = Daemon(
            [
                *("nsenter", f"--net={traffic_namespace}", "setpriv", "--no-new-privs"),
                *("--bounding-set", _CAPABILITIES, "--inh-caps", "-all"),
                *("haproxy", "-W", "-S", f"{self._master},mode,600", "-f", configuration),
            ],
            marker=configuration,
            output=root / "haproxy.out",
            on_end=on_end,
        )
        self.generation = 0
        """Grows with every new worker: its counters begin at zero and it has read the files afresh."""

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    @property
    def started_at(self) -> float | None:
        return self._daemon.started_at

    async def adopt(self) -> bool:
        """Take over a master that an earlier agent started, if it lives and answers."""
        try:
            master = (await self.processes()).master
        except Trouble:
            return False
        if master not in self._daemon.find():
            return False
        self._daemon.adopt(master)
        return True

    async def check(self, configuration: Path) -> None:
        """
        Raises:
            Refused: haproxy's own words.
        """
        finished = await run(["haproxy", "-c", "-f", str(configuration)], deadline_s=CHECK_DEADLINE_S)
        if finished.code != 0:
            raise Refused(trim(finished.output))

    async def start(self, states: bytes = NOTHING) -> None:
        """
        Start it and return when it serves; `states` as for `reload`.

        Raises:
            Refused: it ended at once; its own words.
            Trouble: it does not serve in time (and was stopped).
        """
        self._daemon.kill_strays()
        self.generation += 1
        write_atomically(self._states, states)
        self._daemon.start()
        try:
            async with asyncio.timeout(SERVING_DEADLINE_S):
                await self._until(self._first_worker_serves)
        except TimeoutError as exc:
            await self.stop()
            raise Trouble(f"haproxy did not serve within {SERVING_DEADLINE_S} s: {trim(self._daemon.words())}") from exc

    async def reload(self, states: bytes = NOTHING) -> None:
        """
        Let a new worker take over the listeners; return when it serves and the old one accepts no more.

        `states` is what it shall believe of servers before its own checks tell (see `server_state`).

        Raises:
            Refused: the new configuration did not load, the old worker serves on; haproxy's own words.
            Trouble: none of both in time.
        """
        before = await self.processes()
        self._daemon.forget_words()
        self.generation += 1
        write_atomically(self._states, states)
        self._daemon.signal(signal.SIGUSR2)
        try:
            async with asyncio.timeout(RELOAD_DEADLINE_S):
                await self._until(lambda: self._new_worker_serves(before))
        except TimeoutError as exc:
            raise Trouble(f"haproxy did not reload within {RELOAD_DEADLINE_S} s: {trim(self._daemon.words())}") from exc

    async def server_states(self) -> str:
        return await self.ask("show servers state")

    async def stop(self) -> None:
        await self._daemon.stop(deadline_s=SERVING_DEADLINE_S)
        self._daemon.kill_strays()

    def bound_output(self) -> None:
        """Called often: haproxy repeats its alerts on stderr for ever; keep the file small."""
        self._daemon.forget_words(beyond_bytes=_OUTPUT_LIMIT_BYTES)

    async def ask(self, command: str) -> str:
        return await _ask(self._stats, command)

    async def processes(self) -> Processes:
        return parse_processes(await _ask(self._master, "show proc"))

    async def worker(self) -> int:
        """The process that answers on the statistics socket."""
        found = re.search(r"^Pid: (\d+)", await self.ask("show info"), re.MULTILINE)
        return int(found[1]) if found else 0

    async def _until(self, serves: Callable[[], Awaitable[bool]]) -> None:
        while True:
            if self.pid is None:
                raise Refused(trim(self._daemon.words()))
            with contextlib.suppress(Trouble):  # between two processes nobody answers for a moment
                if await serves():
                    return
            await asyncio.sleep(_POLL_S)

    async def _first_worker_serves(self) -> bool:
        return await self.worker() in (await self.processes()).workers

    async def _new_worker_serves(self, before: Processes) -> bool:
        now = await self.processes()
        if now.reloads == before.reloads:
            return False
        if now.failed > before.failed:
            raise Refused(trim(self._daemon.words()))
        if set(now.workers) & set(before.workers) or await self.worker() not in now.workers:
            return False
        return all([await self._is_stopping(pid) for pid in now.leaving if pid in before.workers])

    async def _is_stopping(self, pid: int) -> bool:
        try:
            return "Stopping: 1" in await _ask(self._master, f"@!{pid} show info")
        except Trouble:
            return True  # gone already


def parse_processes(text: str) -> Processes:
    current, _, leaving = text.partition("# old workers")
    rows = _PROCESS.findall(current)
    masters = [(int(pid), int(reloads), int(failed or 0)) for pid, kind, reloads, failed in rows if kind == "master"]
    if not masters:
        raise Trouble("haproxy's master gave no list of processes")
    # After a failed reload the worker in charge shows a count of reloads, too: it is still the current one.
    return Processes(
        *masters[0],
        workers=tuple(int(row[0]) for row in rows if row[1] == "worker"),
        leaving=tuple(int(row[0]) for row in _PROCESS.findall(leaving)),
    )


def trim(words: str) -> str:
    """What matters of haproxy's words: alerts without their process ids, and not without end."""
    lines = [line for line in words.splitlines() if not line.startswith("[NOTICE]")]
    alerts = [line for line in lines if line.startswith("[ALERT]")] or lines
    return _PREFIX.sub("", "\n".join(alerts))[:_WORDS_CHARACTERS] or "haproxy ended without a word"


async def _ask(path: Path, command: str) -> str:
    try:
        async with asyncio.timeout(_ASK_DEADLINE_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(command.encode() + b"\n")
                writer.write_eof()
                return (await reader.read()).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError) as exc:
        raise Trouble(f"haproxy does not answer on {path.name}: {exc or 'timeout'}") from exc
