"""
One amphora as compute starts it: two namespaces, the real init, agent and haproxy; and a small fabric beside it.

The test process opens its sockets inside the namespaces, so nothing of it is visible on the host's own network.
"""

import contextlib
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from actium_compute.adapters.images import Images
from system.amphora_agent.controller import CONTROLLER, PORT, RELAY, Authority, Controller, Relay
from system.namespaces import eventually, inside, ip

VIP = "203.0.113.10"


def build_image(folder: Path) -> Path:
    """The amphora's image, as compute builds it."""
    return folder / Images(folder).build()


class Backend:
    """A web back end that answers with its name, in the fabric's namespace."""

    def __init__(self, namespace: str, name: str, address: str, port: int) -> None:
        self._where = (namespace, name, address, port)
        self.start()

    def start(self) -> None:
        namespace, name, address, port = self._where

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = name.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None: ...  # a health check hangs up early

        self._server = inside(namespace, lambda: Server((address, port), Handler))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Sandbox:
    folder: Path
    image: Path
    authority: Authority
    amphora_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: bytes = field(default_factory=lambda: os.urandom(32))
    interval_s: float = 0.2
    fabric: str = ""
    """Another amphora's, to stand beside it."""

    number: int = 0
    """What makes its cards others than those of its neighbours."""

    def __post_init__(self) -> None:
        self.namespace = f"amphora-{self.amphora_id}"
        self.traffic = f"{self.namespace}-traffic"
        self._namespaces = [self.namespace, self.traffic]
        self.folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._cards = 0
        self.ports: list[str] = []
        for namespace in self._namespaces:
            ip("netns", "add", namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        if not self.fabric:
            self._build_fabric()
        self._write_config()
        self.relay = Relay(self.namespace, self.key)

    def _build_fabric(self) -> None:
        self.fabric = f"fabric-{self.amphora_id}"
        self._namespaces.append(self.fabric)
        ip("netns", "add", self.fabric)
        ip("-n", self.fabric, "link", "set", "lo", "up")
        self.network("public", "203.0.113.1/24")

    def network(self, name: str, *addresses: str) -> None:
        ip("-n", self.fabric, "link", "add", name, "type", "bridge")
        for address in addresses:
            ip("-n", self.fabric, "addr", "add", address, "dev", name)
        ip("-n", self.fabric, "link", "set", name, "up")

    def plug(self, network: str) -> str:
        """A card in the management namespace, as compute plugs it; its MAC."""
        self._cards += 1
        mac = f"fa:16:3e:00:{self.number:02x}:{self._cards:02x}"
        port, card = f"port{self.number}-{self._cards}", f"eth{self._cards}"
        self.ports.append(port)
        peer = ("peer", "name", card, "netns", self.namespace, "address", mac)
        ip("-n", self.fabric, "link", "add", port, "type", "veth", *peer)
        ip("-n", self.fabric, "link", "set", port, "master", network, "up")
        return mac

    def _write_config(self) -> None:
        config = self.folder / "config"
        config.mkdir()
        settings = {
            "amphora_id": self.amphora_id,
            "listen_address": "127.0.0.1",
            "listen_port": PORT,
            "relays": [list(RELAY)],
            "heartbeat_interval_s": self.interval_s,
            "heartbeat_key_version": 1,
        }
        (config / "amphora.json").write_text(json.dumps(settings))
        (config / "agent.pem").write_bytes(self.authority.issue(self.amphora_id))
        (config / "ca.pem").write_bytes(self.authority.pem)
        (config / "heartbeat.key").write_bytes(self.key)

    def start(self) -> None:
        python = Path(sys.executable)
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "AMPHORA_ID": self.amphora_id,
            "AMPHORA_CONFIG": str(self.folder / "config"),
            "AMPHORA_TRAFFIC_NAMESPACE": f"/run/netns/{self.traffic}",
            "AMPHORA_PYTHON": str(python),
            "AMPHORA_IMAGE": str(self.image),
        }
        unshare = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *unshare, "env", "-i"]
                + [f"{name}={value}" for name, value in environment.items()]
                + ["sh", str(self.image / "init")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.controller = Controller(self, self.authority.issue(CONTROLLER))
        eventually(self.controller.status, deadline_s=15)

    @property
    def init(self) -> int:
        """Pid 1 of the amphora, as the host counts."""
        assert self._process
        return int(Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0])

    def processes(self) -> dict[int, str]:
        """Everything in the amphora's pid namespace: host's pid to command line."""
        mine = Path(f"/proc/{self.init}/ns/pid").readlink()
        found = {}
        for path in Path("/proc").iterdir():
            try:
                if path.name.isdigit() and (path / "ns/pid").readlink() == mine:
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def pids(self, word: str) -> list[int]:
        return [pid for pid, line in self.processes().items() if word in line]

    def kill(self, word: str) -> None:
        for pid in self.pids(word):
            with contextlib.suppress(ProcessLookupError):  # the first one took it along
                os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        os.kill(self.init, signal.SIGTERM)
        assert self._process
        self._process.wait(10)
        self._process = None

    def vanish(self) -> None:
        """Without a word: its cables are cut, then everything in it is killed."""
        for port in self.ports:
            ip("-n", self.fabric, "link", "set", port, "down")
        assert self._process
        self._process.kill()
        self._process.wait(10)
        self._process = None

    def come_back(self) -> None:
        """As a new machine, that knows nothing, with its cables plugged in."""
        self.start()
        for port in self.ports:
            ip("-n", self.fabric, "link", "set", port, "up")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, address: str = VIP, port: int = 80) -> str:
        plain = inside(self.fabric, lambda: socket.create_connection((address, port), 2))
        connection = http.client.HTTPConnection(address, port, timeout=2)
        connection.sock = plain
        try:
            connection.request("GET", "/", headers={"connection": "close"})
            response = connection.getresponse()
            assert response.status == 200, response.status
            return response.read().decode()
        finally:
            connection.close()

    def destroy(self) -> None:
        self.relay.close()
        if self._process:
            self._process.kill()
            self._process.wait(10)
        for namespace in self._namespaces:
            ip("netns", "del", namespace)


class Stream:
    """Requests without a pause, each on a connection of its own, counted until it is stopped."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._sandbox = sandbox
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._sandbox.get()
                self.answered += 1
            except (OSError, AssertionError, http.client.HTTPException) as exc:
                self.failed.append(repr(exc))

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self.answered > 5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def flows_on(self) -> None:
        seen = self.answered
        eventually(lambda: self.answered > seen + 10)
