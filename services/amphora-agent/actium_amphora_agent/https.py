"""
HTTPS/1.1 with client certificates: asyncio for the sockets, ssl for TLS 1.3, h11 for the protocol. Knows no path.

Handshakes that fail and clients without the role are counted; both are somebody at the wrong door.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import h11
import msgpack

from actium_amphora_agent.logs import fields

log = logging.getLogger(__name__)

CLIENT_ROLE = "controller.actium"
CONTENT_TYPE = "application/msgpack"
BODY_LIMIT_BYTES = 64 * 1024 * 1024
HANDSHAKE_DEADLINE_S = 5.0
IDLE_DEADLINE_S = 300.0
"""Compute keeps its connection open, so that a change of weight pays no handshake."""

STRANGER_DEADLINE_S = 2.0
"""For the request of a client without the role, which only learns that: it must not hold a place among the connections."""

BODY_DEADLINE_S = 30.0
_CONNECTION_LIMIT = 64
_CHUNK_BYTES = 64 * 1024
_ACCEPT_AGAIN_S = 0.1
_COMPLAIN_EVERY_S = 1.0
"""The log must not grow as fast as strangers can knock."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: Mapping[str, Any]
    closes: bool = False


@dataclass(slots=True)
class Refusals:
    certificates: int = 0
    handshakes: int = 0


class Server:
    def __init__(self, context: ssl.SSLContext, handle: Callable[[Request], Awaitable[Response]]) -> None:
        self._context = context
        self._handle = handle
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._complained_at = float("-inf")
        self.refused = Refusals()

    def show(self, context: ssl.SSLContext) -> None:
        """Another certificate, and other authorities, from the next connection on."""
        self._context = context

    def open(self, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setblocking(False)
        self._listener.bind((address, port))
        self._listener.listen(_CONNECTION_LIMIT)
        self._accepting = asyncio.create_task(self._accept(self._listener))

    async def close(self) -> None:
        tasks = [*self._connections, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener:
            self._listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as exc:
                # No descriptor left, or the client left first: the next one must find somebody at the door.
                self._complain("connection not accepted", reason=str(exc))
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            if len(self._connections) >= _CONNECTION_LIMIT:
                self._complain("too many connections", client=address[0])
                connection.close()
                continue
            task = asyncio.create_task(self._serve(connection, address[0]))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket, client: str) -> None:
        try:
            reader, writer = await self._handshake(connection)
        except (OSError, TimeoutError) as exc:
            self.refused.handshakes += 1
            self._complain("handshake refused", client=client, reason=str(exc))
            return
        try:
            await self._converse(reader, writer, client)
        except (OSError, TimeoutError, EOFError, h11.ProtocolError) as exc:
            log.info("connection ended", extra=fields(client=client, reason=str(exc)))
        finally:
            writer.close()

    async def _handshake(self, connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Accepted by hand, since asyncio's own server tells nobody of a handshake that failed.
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_DEADLINE_S,
            ssl_shutdown_timeout=HANDSHAKE_DEADLINE_S,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str) -> None:
        conversation = _Conversation(reader, writer)
        if not has_role(writer.get_extra_info("peercert")):
            self.refused.certificates += 1
            self._complain("client has not the role", client=client, role=CLIENT_ROLE)
            if await conversation.head(STRANGER_DEADLINE_S) is not None:
                await conversation.answer(_FORBIDDEN)
            return
        while (head := await conversation.head(IDLE_DEADLINE_S)) is not None:
            if not await conversation.answer(await self._answer(conversation, head)):
                return

    def _complain(self, message: str, **about: object) -> None:
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            log.warning(message, extra=fields(**about, **asdict(self.refused)))

    async def _answer(self, conversation: "_Conversation", head: h11.Request) -> Response:
        body = await conversation.body()
        if body is None:
            return Response(413, {"error": f"the body exceeds {BODY_LIMIT_BYTES} bytes"}, closes=True)
        headers = dict(head.headers)
        content_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
        if body and content_type != CONTENT_TYPE:
            return Response(415, {"error": f"content-type must be {CONTENT_TYPE}, not {content_type!r}"})
        path = head.target.decode("latin-1").partition("?")[0]
        return await self._handle(Request(head.method.decode("latin-1"), path, body))


_FORBIDDEN = Response(403, {"error": f"the client's certificate is not {CLIENT_ROLE}'s"}, closes=True)


def has_role(certificate: Mapping[str, Any] | None) -> bool:
    """Whether a verified certificate is the controller's: an amphora's own is of the same authority, and not enough."""
    names = (certificate or {}).get("subjectAltName", ())
    return ("DNS", CLIENT_ROLE) in names


class _Conversation:
    """One connection's requests and responses, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._h11 = h11.Connection(h11.SERVER)

    async def head(self, deadline_s: float) -> h11.Request | None:
        """The next request's head; None where the client is done."""
        async with asyncio.timeout(deadline_s):
            event = await self._next()
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> bytes | None:
        """None: larger than we take."""
        content = bytearray()
        async with asyncio.timeout(BODY_DEADLINE_S):
            if self._h11.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            while isinstance(event := await self._next(), h11.Data):
                content += event.data
                if len(content) > BODY_LIMIT_BYTES:
                    return None
        return bytes(content)

    async def answer(self, response: Response) -> bool:
        """Whether another request may follow."""
        content = msgpack.packb(response.body)
        headers = [("content-type", CONTENT_TYPE), ("content-length", str(len(content)))]
        if response.closes:
            headers.append(("connection", "close"))
        # One write: one TLS record and one packet, nothing for Nagle to hold back.
        self._write(
            h11.Response(status_code=response.status, headers=headers), h11.Data(data=content), h11.EndOfMessage()
        )
        async with asyncio.timeout(BODY_DEADLINE_S):
            await self._writer.drain()
        if response.closes or self._h11.our_state is h11.MUST_CLOSE:
            return False
        self._h11.start_next_cycle()
        return True

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            self._h11.receive_data(await self._reader.read(_CHUNK_BYTES))
        return event

    def _write(self, *events: h11.Event) -> None:
        self._writer.write(b"".join(self._h11.send(event) or b"" for event in events))
