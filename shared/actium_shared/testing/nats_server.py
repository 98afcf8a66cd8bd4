"""A real nats-server with the real permissions, in a folder of its own, for tests."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from actium_shared import streams
from actium_shared.bus import Bus

START_TIMEOUT_S = 10.0


class NatsServer:
    """Starts on a free loopback port, and on the same one again after `kill`."""

    def __init__(self, folder: Path, *, sync_always: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "nats.conf"
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(self._render(sync_always=sync_always))

    def password(self, user: str) -> str:
        """Give a user's password: tests have no secrets."""
        return f"password-of-{user}"

    def bus(self, user: str) -> Bus:
        """Give a connection of one service, to be entered with `async with`."""
        return Bus(url=self.url, user=user, password=self.password(user))

    def start(self) -> None:
        """Start and return when it takes connections."""
        binary = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
        with (self.folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([binary, "-c", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
                return
            except OSError:
                time.sleep(0.01)
        raise TimeoutError(f"nats-server did not start: {(self.folder / 'nats.log').read_text()}")

    def kill(self) -> None:
        """End it as a power failure does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def _render(self, *, sync_always: bool) -> str:
        users = [
            {"user": user, "password": self.password(user), "permissions": streams.permissions(user)}
            for user in streams.SERVICES
        ]
        lines = [
            f"listen: 127.0.0.1:{self.port}",
            f"max_payload: {streams.MAX_PAYLOAD_BYTES}",
            f"authorization: {{ users: {json.dumps(users)} }}",
            f'jetstream: {{ store_dir: "{self.folder / "store"}"'
            + (", sync_interval: always" if sync_always else "")
            + " }",
        ]
        return "\n".join(lines) + "\n"


def free_port() -> int:
    """Give a port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
