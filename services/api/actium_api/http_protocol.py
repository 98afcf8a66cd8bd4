"""
HTTP/1.1 as uvicorn speaks it with httptools, which takes half the time of h11; and what that leaves to be desired.

Here are: limits for what a client may have us keep, answers in one piece and in order, and what h11 is still for.
"""

import asyncio
import logging
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from actium_api import request_ids
from actium_shared import telemetry

log = logging.getLogger(__name__)

HEAD_BYTES_MOST = 65_536
"""A request line and headers that come in pieces may be so long, and one piece more; so may trailers."""

BEHIND_MOST = 100
"""So many requests may wait behind one that is being answered: each takes a hundred times the room of its bytes."""

NOT_OURS = (b"upgrade", b"http2-settings")
INVALID = "Invalid HTTP request received."


class Protocol(HttpToolsProtocol):
    """One connection."""

    _answering: RequestResponseCycle | None = None
    _is_read = True
    _has_moved = False
    _kept_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(InOnePiece(transport, asyncio.get_running_loop()))  # type: ignore[arg-type]
        self.flow = PausedBehind(self.transport, self.pipeline)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn tells it to the newest request of several: the one that is being answered may have no end.
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def data_received(self, data: bytes) -> None:
        if not self._is_read:
            return
        self._unset_keepalive_if_required()
        is_first = self.cycle is None and not self._kept_bytes
        if is_first and data.partition(b"\r\n")[0].endswith(b" HTTP/1.0"):
            self._hand_over(data)  # else it would be sent chunks, of which it does not know
            return
        self._has_moved = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as told:
            self._go_on_without(data[told.args[0] :])
        except httptools.HttpParserError:
            self._refuse(INVALID)
        else:
            self._limit(len(data))

    def on_message_begin(self) -> None:
        self._kept_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._has_moved = True
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise ValueError("a request names one host")
        if len(self.pipeline) >= BEHIND_MOST:
            raise ValueError("too many requests at once")
        super().on_headers_complete()
        self.headers = []  # of trailers, which are no headers: a proxy before us that takes some away leaves them

    def on_body(self, body: bytes) -> None:
        self._has_moved = True
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _limit(self, piece_bytes: int) -> None:
        """Refuse who sends on and on, and neither ends a head or trailers nor sends a body."""
        self._kept_bytes = 0 if self._has_moved else self._kept_bytes + piece_bytes
        if self._kept_bytes > HEAD_BYTES_MOST:
            self._refuse(f"The head of a request may have {HEAD_BYTES_MOST} bytes.")

    def _refuse(self, why: str) -> None:
        """Say so, unless what was asked before is still to be answered: then the end behind that has to do."""
        self._is_read = False
        newest = self.cycle
        if newest is None or newest.response_complete:
            self.send_400_response(why)
        elif not newest.more_body:  # the fault is in what comes behind it
            newest.keep_alive = False
        elif newest is self._answering and not newest.response_started:
            self.send_400_response(why)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        _send_refusal(self.transport, msg)

    def _should_upgrade(self) -> bool:
        return self.scope["method"] != "CONNECT"

    def _go_on_without(self, rest: bytes) -> None:
        """
        Answer as if nothing else had been offered, which is a server's right: clients of Java offer HTTP/2 with a POST.

        httptools takes what follows such a head for that other protocol; h11 knows better.
        """
        if not self._should_upgrade() or (self.cycle is not None and not self.cycle.response_complete):
            self._refuse(INVALID)
            return
        version = self.scope["http_version"].encode()
        lines = [b"%s %s HTTP/%s" % (self.scope["method"].encode(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.scope["headers"] if header[0] not in NOT_OURS]
        self._hand_over(b"\r\n".join([*lines, b"", rest]))

    def _hand_over(self, data: bytes) -> None:
        """Give the connection to h11, from now on and with what it is to read first."""
        self.connections.discard(self)
        successor = _Successor(config=self.config, server_state=self.server_state, app_state=self.app_state)
        successor.connection_made(self.transport)
        self.transport.set_protocol(successor)
        successor.data_received(data)


class _Successor(H11Protocol):
    """h11, whose refusals are ours."""

    def send_400_response(self, msg: str) -> None:
        _send_refusal(self.transport, msg)


def _send_refusal(transport: asyncio.Transport, why: str) -> None:
    """Answer what never became a request; it has an id all the same, by which its client can be found in the log."""
    request_id = request_ids.new()
    token = telemetry.correlation_id.set(request_id)
    try:
        log.info("refused what is no request", extra={"why": why})
    finally:
        telemetry.correlation_id.reset(token)
    headers = {
        request_ids.REQUEST_ID: request_id,
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(why)),
        "connection": "close",
    }
    lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in headers.items()), "", why]
    transport.write("\r\n".join(lines).encode())
    transport.close()


class PausedBehind(FlowControl):
    """Reading, which goes on when nobody waits any more behind the one who is being answered."""

    def __init__(self, transport: asyncio.Transport, waiting: deque[Any]) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


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
