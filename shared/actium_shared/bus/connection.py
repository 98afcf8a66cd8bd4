"""
One connection to NATS: it reconnects by itself, sends nothing late, and says when it is broken for good.

Core messages and requests only; streams are `jetstream`'s.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn, NotRequired, Self, TypedDict

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from actium_shared import streams
from actium_shared.bus.client import LightClient
from actium_shared.clock import Clock, SystemClock
from actium_shared.envelope import Envelope
from actium_shared.errors import PermanentError, RetryableError, TooLargeError
from actium_shared.ids import Ids, RandomIds
from actium_shared.message import Actor
from actium_shared.telemetry import correlation_id, traceparent

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 60.0
RECONNECT_WAIT_S = 0.1
FLUSH_TIMEOUT_S = 5.0
REPEAT_ERROR_S = 5.0
"""While the bus is away the same error comes ten times a second; it is logged once in this time."""

HEADERS_FRAME_BYTES = 12
"""Before and after the headers; the server counts them as part of the message."""

SERVER_MINIMUM = (2, 12)
"""Earlier servers lack features that the streams use."""

_DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"')


class Address(TypedDict):
    """How a connection is made; `clock` and `ids` are for tests."""

    url: str
    user: str
    password: str
    clock: NotRequired[Clock | None]
    ids: NotRequired[Ids | None]


class Connection:
    """Entered with `async with`; after that it reconnects for ever, or has `failed`."""

    def __init__(
        self, *, url: str, user: str, password: str, clock: Clock | None = None, ids: Ids | None = None
    ) -> None:
        self.user = user
        self._url, self._password = url, password
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self._client = LightClient()
        self._on_reconnect: list[Callable[[], None]] = []
        self._denied: set[str] = set()
        self._last_error, self._last_error_at = "", 0.0
        self._is_leaving = False
        self._failure: Exception | None = None
        self._has_failed = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._connect()
        except TimeoutError as exc:
            raise RetryableError(f"no bus at {self._url} within {CONNECT_TIMEOUT_S:.0f} s") from exc
        self._check_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_leaving = True
        await self._client.close()

    async def _connect(self) -> None:
        while True:
            try:
                await self._open_client()
            except (OSError, nats.errors.Error, TimeoutError) as exc:
                log.info("bus not there yet", extra={"error": str(exc)})
                self._client = LightClient()
                await self._clock.sleep(RECONNECT_WAIT_S)
            else:
                return

    async def _open_client(self) -> None:
        with _heeding_cancellation():
            await self._client.connect(
                self._url,
                user=self.user or None,
                password=self._password or None,
                name=f"actium-{self.user}",
                inbox_prefix=streams.inbox_prefix(self.user).encode(),
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]
                connect_timeout=2,
                ping_interval=5,
                max_outstanding_pings=2,
                pending_size=0,  # what cannot be sent now is refused: its sender would have given it up long before
                error_cb=self._error,
                reconnected_cb=self._reconnected,
                disconnected_cb=self._disconnected,
                closed_cb=self._closed,
            )

    def _check_server(self) -> None:
        version = self._client.connected_server_version
        found = (version.major, version.minor)
        log.info("bus", extra={"server_version": f"{version.major}.{version.minor}.{version.patch}"})
        if found < SERVER_MINIMUM:
            raise PermanentError(f"the bus runs nats-server {found}, at least {SERVER_MINIMUM} is needed")
        if self._client.max_payload < streams.MAX_PAYLOAD_BYTES:
            raise PermanentError(
                f"the bus has max_payload {self._client.max_payload}, at least {streams.MAX_PAYLOAD_BYTES} is needed"
            )

    # -- what the client tells

    async def _error(self, exc: Exception) -> None:
        text, now = str(exc) or repr(exc), self._clock.monotonic()
        if text != self._last_error or now - self._last_error_at > REPEAT_ERROR_S:
            log.warning("bus error", extra={"error": text})
            self._last_error, self._last_error_at = text, now
        if denied := _DENIED.search(text):
            verb, subject = denied.groups()
            if verb == "subscription":  # deaf, and nobody would notice
                self.fail(PermanentError(f"the bus does not let {self.user} listen on {subject}"))
            else:
                self._denied.add(subject)

    async def _disconnected(self) -> None:
        log.warning("bus lost")

    async def _reconnected(self) -> None:
        log.info("bus back")
        for notify in self._on_reconnect:
            notify()

    async def _closed(self) -> None:
        # After most of the server's errors the client never comes back; its readers would wait for ever.
        if not self._is_leaving:
            self.fail(RetryableError(f"the bus has closed the connection for good: {self._client.last_error}"))

    def on_reconnect(self, notify: Callable[[], None]) -> None:
        """Have `notify` called after each reconnect: what lived in the server's memory may be gone."""
        self._on_reconnect.append(notify)

    def fail(self, exc: Exception) -> None:
        """Have the process end with this error, as `failed` raises it; the first one counts."""
        if self._failure is None:
            self._failure = exc
            self._has_failed.set()

    async def failed(self) -> NoReturn:
        """Wait until something is broken that only a new process can mend, and raise what."""
        await self._has_failed.wait()
        raise self._failure or RuntimeError("failed without an error")

    # -- messages

    async def flush(self, *, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """
        Wait until the server has seen everything that was published or subscribed before.

        Raises:
            RetryableError: it does not say so in time.
        """
        try:
            with _heeding_cancellation():
                for _ in range(2):  # nats-py's first ping overtakes what it has not yet handed to the socket
                    await self._client.flush(timeout=int(max(1, timeout_s)))
        except (nats.errors.Error, OSError) as exc:
            raise RetryableError(f"the bus is not reached: {exc}") from exc

    async def request(
        self, subject: str, body: bytes, *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """
        Send one request and wait for one answer.

        Raises:
            RetryableError: not connected, or nobody answered in time.
            PermanentError: too large, or the bus does not permit it.
        """
        self._check_sendable(subject, body, headers)
        try:
            with _heeding_cancellation():
                return await self._client.request(subject, body, timeout=timeout_s, headers=headers)
        except (nats.errors.Error, TimeoutError, OSError) as exc:
            if subject.lower() in self._denied:
                self._denied.discard(subject.lower())
                raise PermanentError(f"the bus does not let {self.user} publish on {subject}") from exc
            raise RetryableError(f"no answer on {subject}: {type(exc).__name__}") from exc

    async def publish(self, subject: str, body: bytes, *, headers: dict[str, str] | None = None) -> None:
        """
        Send and forget: signals and statistics, whose next one makes up for a lost one.

        Raises:
            RetryableError: not connected.
            TooLargeError: it does not fit into one message.
        """
        self._check_sendable(subject, body, headers)
        try:
            with _heeding_cancellation():
                await self._client.publish(subject, body, headers=headers)
        except (nats.errors.Error, OSError) as exc:
            raise RetryableError(f"cannot publish on {subject}: {exc}") from exc

    async def subscribe(
        self, subject: str, arrived: Callable[[Msg], Awaitable[None]], *, queue: str = ""
    ) -> Subscription:
        """Have `arrived` called for each core message; members of one `queue` share them."""
        return await self._client.subscribe(subject, queue=queue, cb=arrived)

    async def take(self, subject: str, arrived: Callable[[Msg], None], *, queue: str = "") -> Subscription:
        """As `subscribe`, for what neither waits nor fails: it is called as the message is read."""
        return await self._client.take(subject, arrived, queue=queue)

    def _check_sendable(self, subject: str, body: bytes, headers: Mapping[str, str] | None) -> None:
        if not self._client.is_connected:
            raise RetryableError(f"not connected to the bus: nothing was sent on {subject}")
        size = len(body) + sum(len(name) + len(value.encode()) + 4 for name, value in (headers or {}).items())
        if size > self._client.max_payload - HEADERS_FRAME_BYTES:  # the server would end the connection
            raise TooLargeError(f"{size} bytes are too large for one message: at most {self._client.max_payload} fit")

    def _envelope(
        self, message_type: str, version: int, *, actor: Actor | None = None, causation_id: str | None = None
    ) -> Envelope:
        return Envelope(
            id=self._ids.new(),
            type=message_type,
            version=version,
            source=f"/actium/{self.user}",
            time=self._clock.now(),
            correlation_id=correlation_id.get(),
            causation_id=causation_id,
            actor=actor,
            traceparent=traceparent(),
        )


@contextmanager
def _heeding_cancellation() -> Iterator[None]:
    # nats-py loses a cancellation here and there, and so does 3.11's wait_for when the answer comes with it.
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
