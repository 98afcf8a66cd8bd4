"""
Talking with amphora agents: HTTPS with a certificate on both sides, MessagePack inside, one kept connection each.

What an agent refuses on good grounds is a value; what failed on the way is an error of ours. The port is `agents`.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import h11
import msgspec

from actium_compute.agents import AgentStatus, Applied, Credentials, Outdated, Refused, Taken
from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.ports import ManagementNetwork
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.failpoints import FAILPOINTS

AGENT_PORT = 9443
CONNECT_TIMEOUT_S = 0.5
"""On a network of our own; a first packet that was lost is sent again only after a second."""

CONFIGURE_TIMEOUT_S = 10.0
"""The agent answers within two seconds, unless the machine is very busy."""

STATUS_TIMEOUT_S = 3.0
KEPT_MOST = 64
"""Connections that nobody uses just now; each holds a quarter of a megabyte."""

CONTENT_TYPE = "application/msgpack"
ANSWER_MOST_BYTES = 1024 * 1024
REASON_MOST_CHARACTERS = 2000
_READ_BYTES = 65_536

T = TypeVar("T")


class UntrustedError(RetryableError):
    """Whoever answers shows a certificate that we do not accept: another's, one that ended, or of another authority."""


class _Complaint(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection


class AgentClient:
    """`Agent` by HTTPS."""

    def __init__(
        self, network: ManagementNetwork, tls: Callable[[], ssl.SSLContext], *, amphora_id: str, address: str
    ) -> None:
        self._network = network
        self._tls = tls
        self._amphora_id = amphora_id
        self.address = address
        self.certificate_expires_at: datetime | None = None
        self._connection: _Connection | None = None
        self._calls = 0

    @property
    def is_busy(self) -> bool:
        return self._calls > 0

    async def configure(
        self, bundle: Bundle, *, timeout_s: float = CONFIGURE_TIMEOUT_S
    ) -> Applied | Refused | Outdated:
        response = await self._call("PUT", "/v1/configuration", bundle.to_body(), timeout_s=timeout_s)
        match response.status:
            case 200:
                return _decode(response, Applied)
            case 409:
                return Outdated(_reason(response))
            case 422:
                return Refused(_reason(response))
            case _:
                raise self._unexpected(response)

    async def status(self, *, timeout_s: float = STATUS_TIMEOUT_S) -> AgentStatus:
        response = await self._call("GET", "/v1/status", b"", timeout_s=timeout_s)
        if response.status != 200:
            raise self._unexpected(response)
        return _decode(response, AgentStatus)

    async def take_credentials(self, credentials: Credentials) -> Taken:
        body = credentials.to_body()
        response = await self._call("PUT", "/v1/certificate", body, timeout_s=STATUS_TIMEOUT_S)
        if response.status != 200:
            raise self._unexpected(response)
        self.close()
        return _decode(response, Taken)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.writer.transport.abort()
            self._connection = None

    async def _call(self, method: str, path: str, body: bytes, *, timeout_s: float) -> _Response:
        self._calls += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await self._try(method, path, body)
        except ssl.SSLCertVerificationError as exc:
            self.close()
            raise UntrustedError(f"agent of {self._amphora_id} at {self.address}: {exc}") from exc
        except (OSError, h11.ProtocolError) as exc:  # TimeoutError and ssl.SSLError are OSErrors
            self.close()
            words = str(exc) or f"no answer within {timeout_s:g} s"
            raise RetryableError(f"agent of {self._amphora_id} at {self.address}: {words}") from exc
        except BaseException:
            self.close()  # in the midst of an exchange it is of no use to the next one
            raise
        finally:
            self._calls -= 1

    async def _try(self, method: str, path: str, body: bytes) -> _Response:
        if self._connection is not None:
            try:
                return await self._exchange(self._connection, method, path, body)
            except (ConnectionError, ssl.SSLError, h11.RemoteProtocolError):
                self.close()  # the agent was started again since the last call; all calls may be repeated
        return await self._exchange(await self._open(), method, path, body)

    async def _exchange(self, connection: _Connection, method: str, path: str, body: bytes) -> _Response:
        response = await _exchange(connection, method, path, body, host=self._amphora_id)
        if connection.http.our_state is not h11.DONE or connection.http.their_state is not h11.DONE:
            self.close()  # the agent wants no other request on this one
        return response

    async def _open(self) -> _Connection:
        endpoint = await self._network.connect(self.address, AGENT_PORT, timeout_s=CONNECT_TIMEOUT_S)
        try:
            # The name is the amphora's id: another machine that came to this address is not taken for it.
            reader, writer = await asyncio.open_connection(
                sock=endpoint, ssl=self._tls(), server_hostname=self._amphora_id
            )
        except BaseException:
            endpoint.close()
            raise
        shown = writer.get_extra_info("peercert")
        self.certificate_expires_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
        self._connection = _Connection(reader, writer, h11.Connection(h11.CLIENT))
        return self._connection

    def _unexpected(self, response: _Response) -> PermanentError | RetryableError:
        words = f"agent of {self._amphora_id} answers {response.status}: {_reason(response)}"
        return PermanentError(words) if response.status in (400, 404, 405, 413) else RetryableError(words)


class AgentClients:
    """`Agents` by HTTPS, over kept connections."""

    def __init__(self, network: ManagementNetwork, tls: Callable[[], ssl.SSLContext]) -> None:
        self._network = network
        self._tls = tls
        self._clients: dict[str, AgentClient] = {}

    def of(self, amphora_id: str, address: str) -> AgentClient:
        client = self._clients.pop(amphora_id, None)
        if client is not None and client.address != address:
            client.close()
            client = None
        if client is None:
            client = self._new(amphora_id, address)
        self._clients[amphora_id] = client  # last: the first is the one that was not needed for the longest time
        self._close_the_oldest(but=amphora_id)
        return FAILPOINTS.guard(client, "agent")

    async def fence(
        self, amphora_id: str, address: str, bundle: Bundle, *, timeout_s: float
    ) -> Applied | Refused | Outdated:
        with closing(self._new(amphora_id, address)) as client:
            return await client.configure(bundle, timeout_s=timeout_s)

    async def probe(self, amphora_id: str, address: str, *, timeout_s: float) -> AgentStatus:
        with closing(self._new(amphora_id, address)) as client:
            return await client.status(timeout_s=timeout_s)

    def forget(self, amphora_id: str) -> None:
        """Close what was kept: the agent is gone, or will show another certificate."""
        if client := self._clients.pop(amphora_id, None):
            client.close()

    def _close_the_oldest(self, *, but: str) -> None:
        idle = [key for key, client in self._clients.items() if not client.is_busy and key != but]
        for key in idle[: max(0, len(idle) - KEPT_MOST)]:
            self.forget(key)

    def _new(self, amphora_id: str, address: str) -> AgentClient:
        return AgentClient(self._network, self._tls, amphora_id=amphora_id, address=address)


async def _exchange(connection: _Connection, method: str, path: str, body: bytes, *, host: str) -> _Response:
    http, writer = connection.http, connection.writer
    if http.our_state is h11.DONE:
        http.start_next_cycle()
    request = h11.Request(method=method, target=path, headers=list(_headers(host, body).items()))
    writer.write(_sent(http, request) + _sent(http, h11.Data(data=body)) + _sent(http, h11.EndOfMessage()))
    await writer.drain()
    return await _response(connection)


def _headers(host: str, body: bytes) -> Mapping[str, str]:
    return {"Host": host, "Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}


def _sent(http: h11.Connection, event: h11.Request | h11.Data | h11.EndOfMessage) -> bytes:
    return http.send(event) or b""


async def _response(connection: _Connection) -> _Response:
    status, body = 0, bytearray()
    while True:
        event = connection.http.next_event()
        if event is h11.NEED_DATA:
            connection.http.receive_data(await connection.reader.read(_READ_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > ANSWER_MOST_BYTES:
                raise h11.RemoteProtocolError(f"an answer of more than {ANSWER_MOST_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return _Response(status, bytes(body))
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError("the agent hung up")


def _decode(response: _Response, wanted: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(response.body, type=wanted)
    except msgspec.DecodeError as exc:
        raise RetryableError(f"an agent's answer cannot be read: {exc}") from exc


def _reason(response: _Response) -> str:
    try:
        complaint = msgspec.msgpack.decode(response.body, type=_Complaint)
    except msgspec.DecodeError:
        return response.body[:REASON_MOST_CHARACTERS].decode(errors="replace")
    return (complaint.error or complaint.reason)[:REASON_MOST_CHARACTERS].strip()
