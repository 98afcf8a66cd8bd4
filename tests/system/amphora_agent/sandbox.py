"""
One amphora as compute starts it: two namespaces, the real init, agent and haproxy; and a small fabric beside it.

The test process opens its sockets inside the namespaces, so nothing of it is visible on the host's own network.
"""

import contextlib
import ctypes
import datetime as dt
import http.client
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import msgpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from actium_compute.adapters.images import Images
from actium_shared.heartbeat import Heartbeat
from actium_shared.testing.datagrams import verify

T = TypeVar("T")
PORT = 9443
RELAY = ("127.0.0.1", 5555)
CONTROLLER = "controller.actium"
CLONE_NEWNET = 0x40000000
VIP = "203.0.113.10"
_LIBC = ctypes.CDLL(None, use_errno=True)


def _enter(namespace: str) -> None:
    fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    failed = _LIBC.setns(fd, CLONE_NEWNET)
    os.close(fd)
    if failed:
        raise OSError(ctypes.get_errno(), f"setns {namespace}")


def inside(namespace: str, make: Callable[[], T]) -> T:
    """What `make` returns, made by a thread in that network namespace: a socket stays where it was born."""
    results: list[T] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            _enter(namespace)
            results.append(make())
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    if failures:
        raise failures[0]
    return results[0]


def eventually(look: Callable[[], T], *, deadline_s: float = 5.0) -> T:
    """The first true value of `look`; what it last gave, or raised, where none comes in time."""
    end = time.monotonic() + deadline_s
    while True:
        try:
            value: Any = look()
        except (OSError, AssertionError, http.client.HTTPException) as exc:
            value = exc
        if value and not isinstance(value, Exception):
            return value  # type: ignore[no-any-return]
        assert time.monotonic() < end, f"not in {deadline_s} s; last: {value!r}"
        time.sleep(0.005)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Authority:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("test authority", self._key, authority=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._sign(name, key, authority=False).public_bytes(serialization.Encoding.PEM) + secret

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        return builder.sign(self._key, hashes.SHA256())


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


class _Connection(http.client.HTTPSConnection):
    def __init__(self, namespace: str, context: ssl.SSLContext, name: str) -> None:
        super().__init__("127.0.0.1", PORT, timeout=10, context=context)
        self._namespace, self._wrapper, self._name = namespace, context, name

    def connect(self) -> None:
        plain = inside(self._namespace, lambda: socket.create_connection(("127.0.0.1", PORT), 10))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._wrapper.wrap_socket(plain, server_hostname=self._name)


@dataclass
class Answer:
    status: int
    body: dict[str, Any]


class Controller:
    """Compute's end of the agent's API, over one connection that stays open."""

    def __init__(self, sandbox: "Sandbox", pem: bytes) -> None:
        self._sandbox = sandbox
        path = sandbox.folder / f"client-{uuid.uuid4().hex}.pem"
        path.write_bytes(pem)
        context = ssl.create_default_context(cadata=sandbox.authority.pem.decode())
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(path)
        self._connection = _Connection(sandbox.namespace, context, sandbox.amphora_id)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"content-type": "application/msgpack"}
        content = None if body is None else body if isinstance(body, bytes) else msgpack.packb(body)
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            return Answer(response.status, msgpack.unpackb(response.read()))
        except BaseException:
            self._connection.close()
            raise

    def put(self, bundle: dict[str, Any]) -> Answer:
        return self.ask("PUT", "/v1/configuration", bundle)

    def status(self) -> dict[str, Any]:
        return self.ask("GET", "/v1/status").body


class Relay:
    """Where the amphora's datagrams arrive."""

    def __init__(self, namespace: str, key: bytes) -> None:
        self._key = key
        self._socket = inside(namespace, self._bind)
        self.raw: list[bytes] = []
        self.seen: list[tuple[float, Heartbeat]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @staticmethod
    def _bind() -> socket.socket:
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.settimeout(0.1)
        listening.bind(RELAY)
        return listening

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                datagram = self._socket.recv(65536)
            except TimeoutError:
                continue
            self.raw.append(datagram)
            self.seen.append((time.time(), verify(datagram, self._key)))

    def close(self) -> None:
        self._closed.set()
        self._thread.join(5)
        self._socket.close()

    def of_kind(self, kind: str, *, since: float = 0.0) -> list[tuple[float, Heartbeat]]:
        return [(at, heartbeat) for at, heartbeat in list(self.seen) if heartbeat.kind == kind and at >= since]

    def beat(self, holds: Callable[[dict[str, Any]], bool], *, deadline_s: float = 5.0) -> dict[str, Any]:
        """The body of the first beat from now on for which `holds`."""
        since = time.time()
        return eventually(
            lambda: (
                next((dict(b.body) for _, b in self.of_kind("beat", since=since) if holds(dict(b.body))), None) or {}
            ),
            deadline_s=deadline_s,
        )


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
