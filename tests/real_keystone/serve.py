"""Serves Keystone on a port of loopback until it is ended; run by the Python of Keystone's own environment."""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PORT = int(sys.argv.pop())  # Keystone reads what is left of the command line


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keystone has a log of its own."""


def main() -> None:
    from keystone.wsgi.api import application  # which reads its configuration

    make_server("127.0.0.1", PORT, application, Server, Quiet).serve_forever()


main()
