"""
keepalived: check, start, reload, adopt, stop; its role from the notify pipe, haproxy's health to it by the track file.

Never `track_process`: a network namespace other than the first has no process events, and nothing would ever fail over.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from actium_amphora_agent.errors import Refused
from actium_amphora_agent.processes import Daemon, run
from actium_amphora_agent.store import write_atomically

_DEADLINE_S = 3.0
_ROLE = re.compile(r'^INSTANCE "[^"]*" (MASTER|BACKUP|FAULT)\b', re.MULTILINE)
_HEALTHY, _FAILED = b"0\n", b"1\n"


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
        self._namespace = f"--net={traffic_namespace}"
        self._daemon = Daemon(
            ["nsenter", self._namespace, "keepalived", "-n", "-l", "-P", "-f", configuration, *pid_files],
            marker=configuration,
            output=root / "keepalived.out",
            on_end=on_end,
        )

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
        argv = ["nsenter", self._namespace, "keepalived", "-t", "-l", "-f", str(configuration)]
        finished = await run(argv, deadline_s=_DEADLINE_S)
        if finished.code != 0:
            raise Refused(f"keepalived.conf: {finished.output[:4_000]}")

    def start(self) -> None:
        self._daemon.kill_strays()
        for path in (*self._pid_files, self._kept_role):
            path.unlink(missing_ok=True)  # a stale pid file whose number lives again would stop it
        self._daemon.start()

    def reload(self) -> None:
        self._daemon.signal(signal.SIGHUP)

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
