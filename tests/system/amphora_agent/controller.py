"""What an amphora speaks with: an authority, compute's end of the agent's API, and where its datagrams arrive."""

import datetime as dt
import http.client
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from actium_shared.heartbeat import Heartbeat
from actium_shared.testing.datagrams import verify
from system.namespaces import eventually, inside

if TYPE_CHECKING:
    from system.amphora_agent.sandbox import Sandbox

PORT = 9443
RELAY = ("127.0.0.1", 5555)
CONTROLLER = "controller.actium"


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
