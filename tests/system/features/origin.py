"""Servers to be balanced: each tells what arrived there, over clear text or TLS, with a PROXY line before it or without."""

import http.server
import json
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from system.namespaces import inside

_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
HANDSHAKE_TIMEOUT_S = 5.0


@dataclass
class Origin:
    """`status` is what /health answers, and may change; `proxied` has it expect a PROXY header; `token` begins its sessions' names."""

    namespace: str
    name: str
    port: int
    address: str = "203.0.113.1"
    tls: ssl.SSLContext | None = None
    proxied: bool = False
    status: int = 200
    token: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"origin": self})
        self._server = inside(self.namespace, lambda: _Server((self.address, self.port), handler))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def asked(self) -> list[str]:
        """The paths of all requests so far, checks included."""
        return [request["path"] for request in self.seen]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None: ...  # a check hangs up early


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def setup(self) -> None:
        self.proxy = _proxy_header(self.request) if self.origin.proxied else None
        self.tls: dict[str, Any] | None = None
        if self.origin.tls:
            self.request.settimeout(HANDSHAKE_TIMEOUT_S)
            self.request = self.origin.tls.wrap_socket(self.request, server_side=True)
            self.tls = _tls_facts(self.request)
        super().setup()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        request = {
            "server": self.origin.name,
            "method": self.command,
            "path": self.path,
            "version": self.request_version,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "client": self.client_address[0],
            "proxy": self.proxy,
            "tls": self.tls,
        }
        self.origin.seen.append(request)
        if wait := parse_qs(url.query).get("wait_s"):
            time.sleep(float(wait[0]))
        body = json.dumps(request).encode()
        self.send_response(self.origin.status if url.path == "/health" else 200)
        if url.path == "/login":
            self.send_header(
                "Set-Cookie", f"SESSION={self.origin.token}{self.origin.name}-{len(self.origin.seen)}; Path=/"
            )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815 - the names that it is called by

    def log_message(self, *_: Any) -> None: ...


def _tls_facts(link: ssl.SSLSocket) -> dict[str, Any]:
    certificate = link.getpeercert() or {}
    subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
    return {
        "version": link.version(),
        "cipher": (link.cipher() or ("",))[0],
        "alpn": link.selected_alpn_protocol(),
        "client": subject.get("commonName"),
    }


def _proxy_header(link: socket.socket) -> str:
    start = _exactly(link, 12)
    if start == _V2_SIGNATURE:
        _, family, length = struct.unpack("!BBH", _exactly(link, 4))
        rest = _exactly(link, length)
        return f"v2 {socket.inet_ntoa(rest[:4])}" if family == 0x11 else "v2 local"
    while not start.endswith(b"\r\n"):
        start += _exactly(link, 1)
    return f"v1 {start.decode().split()[2]}"


def _exactly(link: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = link.recv(count - len(found))
        if not more:
            raise ConnectionError("it ended within the PROXY header")
        found += more
    return found
