"""Serves Barbican on a port of loopback until it is ended; run by the Python of Barbican's own environment."""

import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

_, PASTE, PORT = sys.argv


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Barbican has a log of its own."""


def main() -> None:
    from paste import deploy

    application = deploy.loadapp(f"config:{PASTE}")

    def numbered(environ: dict[str, Any], start_response: Any) -> Any:
        # Its filter for those who do without Keystone wants an attribute that only Keystone's filter sets.
        environ.setdefault("webob.adhoc_attrs", {})["request_id"] = "req-of-a-test"
        return application(environ, start_response)

    make_server("127.0.0.1", int(PORT), numbered, Server, Quiet).serve_forever()


main()
