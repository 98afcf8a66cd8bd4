"""
keepalived: check, start, reload, adopt, stop; its role from the notify pipe, haproxy's health to it by the track file.

Never `track_process`: a network namespace other than the first has no process events, and nothing would ever fail over. Never
`vrrp_rt_priority`: where that sets a limit on real time it cannot lift (no CAP_SYS_RESOURCE), the next reload leaves it none at
all, and the kernel kills it. So it is born with its priority, and with a limit that only an endless loop meets.
"""

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from actium_amphora_agent.errors import Refused
from actium_amphora_agent.logs import fields
from actium_amphora_agent.processes import Daemon, run
from actium_amphora_agent.store import write_atomically

log = logging.getLogger(__name__)

_DEADLINE_S = 3.0
_ROLE = re.compile(r'^INSTANCE "[^"]*" (MASTER|BACKUP|FAULT)\b', re.MULTILINE)
_HEALTHY, _FAILED = b"0\n", b"1\n"
_REAL_TIME = ("prlimit", "--rttime=1000000", "chrt", "--rr", "40")
REAL_TIME, SHARED_TIME = "realtime", "shared"
"""What it is called by, for lines of its file that hold only with the one or the other."""

_LEAVING_S = 0.2
"""How long the rest of a keepalived whose first process was killed may take to give its VIPs up in good order."""

_POLL_S = 0.01
_RELOADED = "Reload complete"
_RELOAD_DEADLINE_S = 2.0
"""Less than 0.02 s, where others do not keep the processor."""


class Keepalived:
    def __init__(
        self, root: Path, traffic_namespace: Path, *, on_end: Callable[[], None], on_role: Callable[[str], None]
    ) -> None:
        self._root = root
        self._on_role = on_role
        self._track_file = root / "haproxy.track"
        self._notify_pipe = root / "keepalived.notify"
        self._kept_role = root / "role"
        self._pipe_fd = -1
        configuration = str(root / "keepalived.conf")
        pid_files = [f"--{option}={root}/{option}.pid" for option in ("pid", "vrrp_pid", "checkers_pid", "bfd_pid")]
        self._pid_files = [root / f"{option}.pid" for option in ("pid", "vrrp_pid", "checkers_pid", "bfd_pid")]
        self._enter = ("nsenter", f"--net={traffic_namespace}")
        self._argv = ("keepalived", "-n", "-l", "-P", "-f", configuration, *pid_files)
        self._daemon = Daemon(
            (*self._enter, *self._argv), marker=configuration, output=root / "keepalived.out", on_end=on_end
        )
        self._timing: str | None = None

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    @property
    def started_at(self) -> float | None:
        return self._daemon.started_at

    @property
    def role(self) -> str | None:
        return self._kept_role.read_text() if self.pid and self._kept_role.exists() else None

    def open(self) -> None:
        """The pipe is opened for writing too, so that it never ends when keepalived does."""
        if not self._notify_pipe.is_fifo():
            os.mkfifo(self._notify_pipe, 0o600)
        self._pipe_fd = os.open(self._notify_pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._pipe_fd, self._read_pipe)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe_fd)
        os.close(self._pipe_fd)

    def adopt(self) -> bool:
        if not (pids := self._daemon.find()):
            return False
        self._daemon.adopt(pids[0])
        return True

    async def check(self, configuration: Path) -> None:
        """
        Raises:
            Refused: keepalived's own words.
        """
        argv = [*self._enter, "keepalived", "-t", "-l", "-i", await self._prove_timing(), "-f", str(configuration)]
        finished = await run(argv, deadline_s=_DEADLINE_S)
        if finished.code != 0:
            raise Refused(f"keepalived.conf: {finished.output[:4_000]}")

    async def start(self) -> None:
        """No other may run: see `clear`."""
        timing = await self._prove_timing()
        for path in (*self._pid_files, self._kept_role):
            path.unlink(missing_ok=True)  # a stale pid file whose number lives again would stop it
        real_time = _REAL_TIME if timing == REAL_TIME else ()
        self._daemon.start((*self._enter, *real_time, *self._argv, "-i", timing))

    async def clear(self) -> None:
        """See to it that nothing of an earlier one runs; what its first process left behind may say its farewell."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING_S):
                while self._daemon.find():
                    await asyncio.sleep(_POLL_S)
        self._daemon.kill_strays()

    async def _prove_timing(self) -> str:
        """Whether the machine gives us real-time scheduling is seen by taking it."""
        if self._timing is None:
            finished = await run([*_REAL_TIME, "true"], deadline_s=_DEADLINE_S)
            self._timing = REAL_TIME if finished.code == 0 else SHARED_TIME
            log.info("scheduling of keepalived", extra=fields(timing=self._timing))
        return self._timing

    async def reload(self) -> None:
        """
        Have it read its file anew; return when it has.

        Whoever is told next relies on it: a newcomer to the pair that hears no adverts of ours takes the VIPs.
        """
        self._daemon.forget_words()
        self._daemon.signal(signal.SIGHUP)
        try:
            async with asyncio.timeout(_RELOAD_DEADLINE_S):
                while self.pid and _RELOADED not in self._daemon.words():
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            log.warning(
                "keepalived did not say that it has read its file", extra=fields(words=self._daemon.words()[-1000:])
            )

    async def stop(self) -> None:
        await self._daemon.stop(deadline_s=_DEADLINE_S)

    def bound_output(self) -> None:
        self._daemon.forget_words(beyond_bytes=256 * 1024)

    def tell(self, *, healthy: bool) -> None:
        """The track file with weight -254 forces FAULT: the partner takes over in about 20 ms."""
        write_atomically(self._track_file, _HEALTHY if healthy else _FAILED)

    def _read_pipe(self) -> None:
        roles = _ROLE.findall(os.read(self._pipe_fd, 65536).decode(errors="replace"))
        if roles and roles[-1] != self.role:
            write_atomically(self._kept_role, roles[-1].encode())
            self._on_role(roles[-1])
