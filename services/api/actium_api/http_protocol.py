"""
HTTP/1.1 as uvicorn speaks it with httptools, which takes half the time of h11; and what that leaves to be desired.

Here are: a limit for the head of a request, an answer in one piece, and requests that offer to go on in another protocol.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MOST = 65_536
"""A request line and headers that come in pieces may be so long, and one piece more."""

NOT_OURS = (b"upgrade", b"http2-settings")


class Protocol(HttpToolsProtocol):
    """One connection."""

    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(InOnePiece(transport, asyncio.get_running_loop()))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as told:
            self._go_on_without(data[told.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self._limit_head(data)

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def _limit_head(self, data: bytes) -> None:
        self._head_bytes += len(data) if self._in_head else 0
        if self._in_head and self._head_bytes > HEAD_BYTES_MOST:
            self.send_400_response(f"The head of a request may have {HEAD_BYTES_MOST} bytes.")

    def _should_upgrade(self) -> bool:
        return self._get_upgrade() is not None

    def _go_on_without(self, rest: bytes) -> None:
        """
        Answer as if nothing else had been offered, which is a server's right: clients of Java offer HTTP/2 with a POST.

        httptools takes what follows such a head for that other protocol; h11 knows better, and has this connection from now on.
        """
        if not self._should_upgrade():  # CONNECT
            self.send_400_response("Invalid HTTP request received.")
            return
        self.connections.discard(self)
        lines = [b"%s %s HTTP/1.1" % (self.scope["method"].encode(), self.url)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] not in NOT_OURS]
        successor = H11Protocol(config=self.config, server_state=self.server_state, app_state=self.app_state)
        successor.connection_made(self.transport)
        self.transport.set_protocol(successor)
        successor.data_received(b"\r\n".join([*lines, b"", rest]))


class InOnePiece:
    """
    A transport that holds the head of an answer until its body comes, in this turn of the loop or not at all.

    Two writes are two system calls, and wake the client twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""

    def write(self, data: bytes) -> None:
        if not self._held and data.startswith(b"HTTP/1.1 "):
            self._held = data
            self._loop.call_soon(self._send)
            return
        self._transport.write(self._held + data)
        self._held = b""

    def close(self) -> None:
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _send(self) -> None:
        if self._held:
            self._transport.write(self._held)
            self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
