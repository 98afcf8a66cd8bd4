"""
Where amphorae come to: HTTPS on the management network, MessagePack inside, one request a connection.

Whoever comes is known by its certificate, and gets only what is its own. Everything has a bound and a deadline: an amphora
may have fallen into other hands. What is answered is decided in `pulls`.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import h11
import msgspec

from actium_compute.authority import CONTROLLER_NAME
from actium_compute.ports import ManagementNetwork
from actium_compute.pulls import Outcome, Pulls, StrangerError
from actium_compute.renewing import KnownBy
from actium_shared.errors import BrokenStoreError, RetryableError, VersionConflictError

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/msgpack"
CONNECTIONS_MOST = 256
CONNECTIONS_OF_ONE_MOST = 3
ANSWERS_AT_ONCE = 8
"""A rendering is a few milliseconds of this process's only core."""

BODY_MOST_BYTES = 64 * 1024
HANDSHAKE_DEADLINE_S = 5.0
REQUEST_DEADLINE_S = 5.0
ANSWER_DEADLINE_S = 15.0
SEND_DEADLINE_S = 30.0
LISTEN_AGAIN_S = 0.5
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes = b""


class _WrongError(Exception):
    """The request makes no sense."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Gateway:
    """One listening socket; `run` is its life."""

    def __init__(
        self, network: ManagementNetwork, bind: tuple[str, int], tls: Callable[[], ssl.SSLContext], pulls: Pulls
    ) -> None:
        self._network = network
        self._bind = bind
        self._tls = tls
        self._pulls = pulls
        self._of: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(ANSWERS_AT_ONCE)
        self._counts: Counter[str] = Counter()

    def status(self) -> dict[str, object]:
        return {"gateway": dict(self._counts)}

    async def run(self) -> None:
        listener = await self._listen()
        try:
            async with asyncio.TaskGroup() as group:
                await self._accept(listener, group)
        finally:
            listener.close()

    async def _listen(self) -> socket.socket:
        while True:
            try:
                return self._network.listen(self._bind)
            except RetryableError as exc:
                log.warning("gateway cannot listen yet", extra={"error": str(exc)})
                await asyncio.sleep(LISTEN_AGAIN_S)

    async def _accept(self, listener: socket.socket, group: asyncio.TaskGroup) -> None:
        open_ones: set[asyncio.Task[None]] = set()
        while True:
            try:
                connection, address = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as exc:  # no descriptor left, or the caller left first
                log.warning("connection not accepted", extra={"error": str(exc)})
                await asyncio.sleep(LISTEN_AGAIN_S)
                continue
            if len(open_ones) >= CONNECTIONS_MOST:
                self._counts["too many"] += 1
                connection.close()
                continue
            task = group.create_task(self._serve(connection, address[0]))
            open_ones.add(task)
            task.add_done_callback(open_ones.discard)

    async def _serve(self, connection: socket.socket, address: str) -> None:
        try:
            reader, writer = await self._handshake(connection)
        except OSError as exc:  # ssl.SSLError and TimeoutError are such
            self._counts["handshakes failed"] += 1
            log.info("handshake failed", extra={"address": address, "error": str(exc)})
            return
        except BaseException:
            connection.close()
            raise
        try:
            await self._converse(reader, writer)
        except (OSError, EOFError, h11.ProtocolError) as exc:
            log.info("connection ended", extra={"address": address, "error": str(exc) or type(exc).__name__})
        finally:
            writer.transport.abort()

    async def _handshake(self, connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._tls(),
            ssl_handshake_timeout=HANDSHAKE_DEADLINE_S,
            ssl_shutdown_timeout=HANDSHAKE_DEADLINE_S,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        certificate = writer.get_extra_info("peercert")
        amphora_id = _name(certificate)
        if self._of[amphora_id] >= CONNECTIONS_OF_ONE_MOST:
            return
        self._of[amphora_id] += 1
        try:
            try:
                async with asyncio.timeout(REQUEST_DEADLINE_S):
                    request = await _request(http, reader)
                response = await self._answer(amphora_id, certificate, request)
            except _WrongError as exc:
                response = _complaint(exc.status, str(exc))
            self._counts[str(response.status)] += 1
            async with asyncio.timeout(SEND_DEADLINE_S):
                writer.write(_bytes(http, response))
                writer.close()
                await writer.wait_closed()
        finally:
            self._of[amphora_id] -= 1
            self._of += Counter()  # forget who is not here any more

    async def _answer(self, amphora_id: str, certificate: Mapping[str, Any], request: _Request) -> _Response:
        if not amphora_id or amphora_id == CONTROLLER_NAME:
            return _complaint(403, "the certificate is no amphora's")
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S), self._turns:
                return await self._route(amphora_id, _known_by(certificate, request), request)
        except StrangerError as exc:
            return _complaint(403, str(exc))
        except (RetryableError, VersionConflictError, TimeoutError) as exc:
            log.info("not now", extra={"amphora": amphora_id, "path": request.path, "error": str(exc)})
            return _complaint(503, str(exc) or "no time")
        except (BrokenStoreError, _WrongError):
            raise
        except Exception:  # the boundary: one amphora's trouble must not end the others' door
            log.exception("request fails", extra={"amphora": amphora_id, "path": request.path})
            return _complaint(500, "compute failed; its log says why")

    async def _route(self, amphora_id: str, known_by: KnownBy, request: _Request) -> _Response:
        match request.method, request.path:
            case "GET", "/v1/bundle":
                bundle = await self._pulls.bundle(amphora_id, known_by)
                return _Response(200, bundle.to_body()) if bundle else _Response(204)
            case "GET", "/v1/certificate":
                credentials = await self._pulls.credentials(amphora_id, known_by)
                return _Response(200, credentials.to_body()) if credentials else _Response(204)
            case "POST", "/v1/outcome":
                if await self._pulls.outcome(amphora_id, known_by, _outcome(request.body)):
                    return _Response(204)
                return _complaint(409, "there is something newer")
            case _:
                return _complaint(404, "there is GET /v1/bundle, GET /v1/certificate and POST /v1/outcome")


def _name(certificate: Mapping[str, Any]) -> str:
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return names[0] if len(names) == 1 else ""


def _known_by(certificate: Mapping[str, Any], request: _Request) -> KnownBy:
    return KnownBy(
        certificate_expires_at=datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC),
        heartbeat_key_version=_number(request, b"actium-heartbeat-key-version"),
        credentials_edition=_number(request, b"actium-credentials-edition"),
    )


def _number(request: _Request, name: bytes) -> int:
    text = request.headers.get(name, b"")
    if not (text.isdigit() and len(text) < 10):
        raise _WrongError(400, f"header {name.decode()} must be a number")
    return int(text)


def _outcome(body: bytes) -> Outcome:
    try:
        return msgspec.msgpack.decode(body, type=Outcome)
    except msgspec.DecodeError as exc:
        raise _WrongError(400, f"the outcome cannot be read: {exc}") from exc


async def _request(http: h11.Connection, reader: asyncio.StreamReader) -> _Request:
    head, body = None, bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_MOST_BYTES:
                raise _WrongError(413, f"the body exceeds {BODY_MOST_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            path = head.target.decode("latin-1")
            return _Request(head.method.decode("latin-1"), path, dict(head.headers), bytes(body))
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("the amphora hung up")


def _complaint(status: int, words: str) -> _Response:
    return _Response(status, msgspec.msgpack.encode({"error": words}))


def _bytes(http: h11.Connection, response: _Response) -> bytes:
    headers = [("content-type", CONTENT_TYPE), ("connection", "close")]
    if response.status != 204:
        headers.append(("content-length", str(len(response.body))))
    events = (h11.Response(status_code=response.status, headers=headers), h11.Data(response.body), h11.EndOfMessage())
    return b"".join(http.send(event) or b"" for event in events if response.body or not isinstance(event, h11.Data))
