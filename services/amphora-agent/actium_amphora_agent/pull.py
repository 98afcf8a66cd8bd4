"""
Fetching what compute has for this amphora: credentials, then the bundle, which is applied as if it had been pushed.

At boot, when nothing is in force and nobody pushes, and whenever a note says so. What became of a bundle is kept until
compute has heard it: after a kill it is told again.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import h11
import msgpack

from actium_amphora_agent import desired
from actium_amphora_agent.configuration import Configuration
from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.errors import AgentError, Invalid, Refused, Stale
from actium_amphora_agent.https import BODY_LIMIT_BYTES, CLIENT_ROLE, CONTENT_TYPE
from actium_amphora_agent.logs import fields
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Store

log = logging.getLogger(__name__)

PUSH_COMES_WITHIN_S = 0.5
"""After a boot that compute ordered: it waits for the agent's first answer, with the configuration at hand."""

EXCHANGE_DEADLINE_S = 20.0
HANDSHAKE_DEADLINE_S = 5.0
RETRY_FIRST_S = 0.5
RETRY_MOST_S = 30.0
_OUTCOME = "outcome"
_CHUNK_BYTES = 64 * 1024


class PullError(Exception):
    """Not now: compute is away, has no time, or wants to be asked again."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


class Puller:
    """One task; `ask` has it look at once. `take_credentials` is what a PUT of them calls, too."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        configuration: Configuration,
        store: Store,
        *,
        take_credentials: Callable[[bytes], None],
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._configuration = configuration
        self._store = store
        self._take_credentials = take_credentials
        self._asked = asyncio.Event()

    def ask(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        if not self._settings.gateways:
            await asyncio.Event().wait()
        if self._store.read(_OUTCOME):
            self.ask()
        if self._is_blank():
            await _within(PUSH_COMES_WITHIN_S, self._asked)
            if self._is_blank():
                await self._until_done(only_while_blank=True)
        while True:
            await self._asked.wait()
            await self._until_done()

    def _is_blank(self) -> bool:
        return not self._configuration.in_force.folder

    async def _until_done(self, *, only_while_blank: bool = False) -> None:
        delay_s = RETRY_FIRST_S
        while not only_while_blank or self._is_blank():
            self._asked.clear()
            try:
                await self._pull()
                return
            except (PullError, AgentError) as exc:
                log.warning("pull failed", extra=fields(reason=str(exc)))
            except Exception:
                # The boundary, as with a push: the agent goes on, and the log has the trace.
                log.exception("pull failed")
            # All that were rebooted at once must not come back at once.
            await _within(delay_s * random.uniform(0.5, 1.0), self._asked)  # noqa: S311 - no secret
            delay_s = min(2 * delay_s, RETRY_MOST_S)

    async def _pull(self) -> None:
        await self._report()
        credentials = await self._ask("GET", "/v1/certificate")
        if credentials.status == 200:
            self._take_credentials(credentials.body)
        bundle = await self._ask("GET", "/v1/bundle")
        if bundle.status != 200:
            log.info("nothing to do")
        elif outcome := await self._apply(bundle.body):
            self._store.write(_OUTCOME, outcome)
            await self._report()

    async def _apply(self, body: bytes) -> Mapping[str, Any] | None:
        before = self._configuration.in_force.digest
        try:
            bundle = desired.parse(body)
        except Invalid as exc:
            raise PullError(f"compute's bundle is no bundle: {exc}") from exc
        about = {"bundle": bundle.number, "epoch": bundle.epoch, "digest": bundle.digest, "before": before}
        try:
            answer = await self._configuration.put(bundle)
        except (Refused, Invalid) as exc:
            return {**about, "result": "refused", "reason": str(exc), "took_ms": 0.0}
        except Stale as exc:
            log.info("already ahead", extra=fields(reason=str(exc)))
            return None
        return {**about, "result": answer.result, "reason": "", "took_ms": answer.took_ms}

    async def _report(self) -> None:
        if not (outcome := self._store.read(_OUTCOME)):
            return
        answer = await self._ask("POST", "/v1/outcome", msgpack.packb(outcome))
        self._store.write(_OUTCOME, {})
        if answer.status == 409:
            raise PullError("there is something newer by now")

    async def _ask(self, method: str, path: str, body: bytes = b"") -> _Answer:
        complaints = []
        for address, port in self._settings.gateways:
            try:
                async with asyncio.timeout(EXCHANGE_DEADLINE_S):
                    answer = await self._exchange(address, port, method, path, body)
            except (OSError, EOFError, h11.ProtocolError) as exc:  # TimeoutError and ssl.SSLError are OSErrors
                complaints.append(f"{address}:{port}: {exc or type(exc).__name__}")
                continue
            if answer.status in (200, 204, 409):
                return answer
            complaints.append(f"{address}:{port}: {method} {path} is answered {answer.status}: {_words(answer.body)}")
        raise PullError("; ".join(complaints))

    async def _exchange(self, address: str, port: int, method: str, path: str, body: bytes) -> _Answer:
        reader, writer = await asyncio.open_connection(
            address,
            port,
            ssl=self._tls(),
            server_hostname=CLIENT_ROLE,
            ssl_handshake_timeout=HANDSHAKE_DEADLINE_S,
            limit=_CHUNK_BYTES,
        )
        try:
            http = h11.Connection(h11.CLIENT)
            request = h11.Request(method=method, target=path, headers=self._headers(body))
            writer.write(b"".join(http.send(each) or b"" for each in (request, h11.Data(body), h11.EndOfMessage())))
            return await _answer(http, reader)
        finally:
            writer.transport.abort()

    def _tls(self) -> ssl.SSLContext:
        return self._credentials.client_context()

    def _headers(self, body: bytes) -> list[tuple[str, str]]:
        return [
            ("host", CLIENT_ROLE),
            ("content-type", CONTENT_TYPE),
            ("content-length", str(len(body))),
            ("actium-heartbeat-key-version", str(self._credentials.heartbeat_key_version)),
            ("actium-credentials-edition", str(self._credentials.edition)),
        ]


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> _Answer:
    status, body = 0, bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_LIMIT_BYTES:
                raise h11.RemoteProtocolError(f"an answer of more than {BODY_LIMIT_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return _Answer(status, bytes(body))
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("compute hung up")


def _words(body: bytes) -> str:
    try:
        return str(msgpack.unpackb(body)["error"])[:200]
    except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException):
        return ""


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
