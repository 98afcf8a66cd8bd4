"""
A real Swift for tests: PyPI's release in an environment of its own, on loopback of a network namespace, one disk, one copy.

Temporary URLs and container quotas are Swift's own. In place of Keystone stands one word: whoever shows it may do everything.
"""

import gzip
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from own_environment import SWIFT
from system.namespaces import eventually, inside

HERE = Path(__file__).parent
ADDRESS, PORT = "127.0.0.1", 8080
CONTAINER = "/v1/AUTH_actium/logs"
ANSWERS_WITHIN_S = 30


@dataclass
class Swift:
    """One that runs in a namespace, with a container whose temporary URL key is `key`."""

    namespace: str
    word: str
    key: bytes
    process: "subprocess.Popen[bytes]"

    def ask(
        self, method: str, path: str = "", *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """As anybody; `path` follows the container's."""
        plain = inside(self.namespace, lambda: socket.create_connection((ADDRESS, PORT), 5))
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=5)
        connection.sock = plain
        try:
            connection.request(method, CONTAINER + path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def rule(self, method: str, path: str = "", **metadata: str) -> bytes:
        """As the operator."""
        headers = {f"X-Container-Meta-{name.replace('_', '-')}": value for name, value in metadata.items()}
        status, body = self.ask(method, path, headers={"X-Word": self.word} | headers)
        assert status // 100 == 2, (status, body)
        return body

    def names(self) -> list[str]:
        return [each["name"] for each in json.loads(self.rule("GET", "?format=json"))]

    def lines(self, prefix: str = "") -> list[str]:
        """What stands in all objects whose names begin so."""
        found = [gzip.decompress(self.rule("GET", f"/{name}")) for name in self.names() if name.startswith(prefix)]
        return b"".join(found).decode().splitlines()

    def fill(self) -> None:
        self.rule("POST", Quota_Bytes="1")

    def make_room(self) -> None:
        self.rule("POST", Quota_Bytes="")

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def running(folder: Path, *, namespace: str) -> Iterator[Swift]:
    """Run one; its disk is in the folder, on a file system with extended attributes."""
    SWIFT.install()
    word, key = secrets.token_hex(8), secrets.token_hex(16).encode()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ACTIUM_", "PYTHON"))}
    command: list[Any] = [SWIFT.python, "-W", "ignore", HERE / "serve.py", folder, str(PORT), word]
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, *map(str, command)],
        env=inherited | {"HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "stderr").open("wb"),
    )
    try:
        made = Swift(namespace, word, key, process)
        eventually(lambda: process.poll() is not None or made.ask("GET"), deadline_s=ANSWERS_WITHIN_S)
        made.rule("PUT", Temp_URL_Key=key.decode())
        yield made
    finally:
        process.kill()
        process.wait(10)
