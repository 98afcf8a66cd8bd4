"""
A small web server that answers every request with its own name. Runs by its path with `python -I -S`, so it imports
the standard library only.
"""

import argparse
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

IDLE_LIMIT_S = 30.0
DISCARD_LIMIT_BYTES = 16 * 1024 * 1024


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    backend_name: str

    def server_bind(self) -> None:
        """On all its addresses, and without the base class's question to a name server, which no back end's network has."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_LIMIT_S
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: Server

    def do_GET(self) -> None:
        self.answer(with_body=True)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - the base class looks for these

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, *, with_body: bool) -> None:
        self.discard_body()
        body = f"{self.server.backend_name}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Backend", self.server.backend_name)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def discard_body(self) -> None:
        """Else what remains of it would be read as the connection's next request."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > DISCARD_LIMIT_BYTES:
            self.close_connection = True
        else:
            self.rfile.read(int(length))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Health checks would fill the log."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if socket.has_dualstack_ipv6():
        Server.address_family = socket.AF_INET6
    with Server(("", given.port), Handler) as server:
        server.backend_name = given.name
        server.serve_forever()


if __name__ == "__main__":
    main()
