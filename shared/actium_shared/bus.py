"""
The bus: asks, orders, signals, feeds and work. With `pull`, the only place that speaks NATS.

Whoever reads survives a restarted server: consumers, and streams that live in its memory, are made again.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from actium_shared import streams
from actium_shared.clock import Clock, SystemClock
from actium_shared.codec import CODEC
from actium_shared.envelope import Envelope
from actium_shared.errors import PermanentError, RetryableError, UnreadableError
from actium_shared.failpoints import FAILPOINTS
from actium_shared.ids import Ids, RandomIds, partition
from actium_shared.message import Actor, Command, Order, Reply
from actium_shared.pull import EPOCH, NANO, Delivery, Pull
from actium_shared.telemetry import correlation_id, traceparent

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 20.0
"""Longer than an append may retry (15 s, a NATS leader change). Past this the outcome is unknown, and 503 says so."""

API_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 60.0
RECONNECT_WAIT_S = 0.1
FEED_BATCH = 512
ACK_WAIT_S = 4.0
"""How long a partition stands still after its worker was killed: handlers only store what is wished, in milliseconds."""

NO_STREAM = 10059
LATEST = datetime(2262, 1, 1, tzinfo=UTC)
"""Nanoseconds of later times do not fit into the server's 64 bits: it takes them for the past."""

SERVER_MINIMUM = (2, 12)
"""Earlier servers lack features that the streams use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An ask as its answerer sees it."""

    command: Command
    envelope: Envelope
    deadline: float
    """Monotonic seconds: after it nobody waits for the answer."""


class Bus:
    """One connection, made with `async with`. Reconnects by itself, for ever."""

    def __init__(
        self, *, url: str, user: str, password: str, clock: Clock | None = None, ids: Ids | None = None
    ) -> None:
        self.user = user
        self._url, self._password = url, password
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self._client = Client()
        self._on_reconnect: list[Callable[[], None]] = []
        self._pulls: set[Pull] = set()
        self._ensuring = asyncio.Lock()

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._connect()
        except TimeoutError as exc:
            raise RetryableError(f"no bus at {self._url} within {CONNECT_TIMEOUT_S:.0f} s") from exc
        self._check_server()
        await self.ensure_streams()
        return self

    async def _connect(self) -> None:
        while True:
            try:
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
                    error_cb=self._error,
                    reconnected_cb=self._reconnected,
                    disconnected_cb=self._disconnected,
                )
            except (OSError, nats.errors.Error, TimeoutError) as exc:
                log.info("bus not there yet", extra={"error": str(exc)})
                self._client = Client()
                await self._clock.sleep(0.1)
            else:
                return

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pull in self._pulls:
            pull.end()
        await self._client.close()

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

    async def _error(self, exc: Exception) -> None:
        # A publish outside of the permissions shows here only: the publisher sees no more than a timeout.
        log.warning("bus error", extra={"error": str(exc) or repr(exc)})

    async def _disconnected(self) -> None:
        log.warning("bus lost")

    async def _reconnected(self) -> None:
        log.info("bus back")
        for pull in self._pulls:
            pull.end()
        for notify in self._on_reconnect:
            notify()

    def on_reconnect(self, notify: Callable[[], None]) -> None:
        """Have `notify` called after each reconnect: what lived in the server's memory may be gone."""
        self._on_reconnect.append(notify)

    async def flush(self, *, timeout_s: float = API_TIMEOUT_S) -> None:
        """Wait until the server has seen everything that was published before."""
        await self._client.flush(timeout=int(max(1, timeout_s)))

    # -- JetStream's API

    async def api(
        self, subject: str, body: Mapping[str, object], *, timeout_s: float = API_TIMEOUT_S
    ) -> dict[str, Any]:
        """
        Call `$JS.API.<subject>`.

        Raises:
            RetryableError: no answer in time, or JetStream is not there (yet).
            ApiError: the server refused, with its code.
        """
        message = await self.request(f"$JS.API.{subject}", json.dumps(body).encode(), timeout_s=timeout_s)
        answer: dict[str, Any] = json.loads(message.data)
        if "error" in answer:
            raise ApiError(subject, answer["error"])
        return answer

    async def request(
        self, subject: str, body: bytes, *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """
        Send one request and wait for one answer.

        Raises:
            RetryableError: nobody answered in time.
        """
        try:
            return await self._client.request(subject, body, timeout=timeout_s, headers=headers)
        except (nats.errors.Error, TimeoutError, OSError) as exc:
            raise RetryableError(f"no answer on {subject}: {type(exc).__name__}") from exc

    async def ensure_streams(self) -> None:
        """Make every stream that this service uses exist as the table says; one that exists is left alone."""
        async with self._ensuring:
            for name in streams.readable_streams(self.user):
                await self._ensure_stream(streams.BY_NAME[name])
            if self.user in streams.EVENT_OWNERS:
                await self._ensure_stream(streams.BY_NAME[streams.events_of(self.user)])
            if self.user in streams.COMMAND_SENDERS:
                await self._ensure_stream(streams.BY_NAME[streams.COMMANDS])
            await self._ensure_stream(streams.BY_NAME[streams.DEAD_LETTERS])
            if self.user in ("relay", "health"):
                await self._ensure_stream(streams.BY_NAME[streams.SIGNALS])

    async def _ensure_stream(self, stream: streams.Stream) -> None:
        deadline = self._clock.monotonic() + CONNECT_TIMEOUT_S
        while True:
            try:
                await self.api(f"STREAM.CREATE.{stream.name}", _stream_config(stream))
                return
            except RetryableError:
                if self._clock.monotonic() > deadline:
                    raise
                await self._clock.sleep(0.1)

    # -- core messages

    async def publish(self, subject: str, body: bytes, *, headers: dict[str, str] | None = None) -> None:
        """Send and forget: signals and statistics, whose next one makes up for a lost one."""
        try:
            await self._client.publish(subject, body, headers=headers)
        except (nats.errors.Error, OSError) as exc:
            raise RetryableError(f"cannot publish on {subject}: {exc}") from exc

    async def store(self, subject: str, body: bytes, *, headers: dict[str, str], timeout_s: float) -> dict[str, Any]:
        """
        Publish to a stream and wait until it is stored; give the server's acknowledgement.

        Raises:
            RetryableError: no acknowledgement: it may be stored or not.
            ApiError: the server refused it, so it is not stored.
        """
        message = await self.request(subject, body, timeout_s=timeout_s, headers=headers)
        if message.headers and message.headers.get("Status") == "503":
            raise RetryableError(f"no stream takes {subject}")
        answer: dict[str, Any] = json.loads(message.data)
        if "error" in answer:
            raise ApiError(subject, answer["error"])
        return answer

    async def send_order(
        self, order: Order, *, causation_id: str | None = None, timeout_s: float = API_TIMEOUT_S
    ) -> None:
        """
        Put an order on the COMMANDS stream; a copy of one that is there already is dropped.

        Raises:
            RetryableError: it may be there or not; sending it again is harmless.
        """
        envelope = self._envelope(order.TYPE, order.VERSION, causation_id=causation_id)
        headers = envelope.to_headers() | {"Nats-Msg-Id": order.order_id}
        FAILPOINTS.reach(f"order.{order.TYPE}.before")
        try:
            await self.store(
                streams.order_subject(order.SERVICE, order.target),
                CODEC.encode(order),
                headers=headers,
                timeout_s=timeout_s,
            )
        except RetryableError:
            await self.ensure_streams()  # a restarted server has lost what was in its memory
            raise
        FAILPOINTS.reach(f"order.{order.TYPE}.after")

    # -- asks

    async def ask(self, command: Command, *, actor: Actor | None = None, timeout_s: float = ASK_TIMEOUT_S) -> Reply:
        """
        Ask the owner of the command's target and give its reply.

        Raises:
            RetryableError: no reply in time; the outcome is unknown, and asking again is safe.
        """
        subject = streams.ask_subject(command.SERVICE, partition(streams.token(command.target), streams.PARTITIONS))
        envelope = self._envelope(command.TYPE, command.VERSION, actor=actor)
        headers = envelope.to_headers() | {"actium-timeout": str(timeout_s)}
        message = await self.request(subject, CODEC.encode(command), timeout_s=timeout_s, headers=headers)
        reply_envelope = Envelope.from_headers(message.headers or {})
        reply = CODEC.decode(reply_envelope.type, reply_envelope.version, message.data)
        if not isinstance(reply, Reply):
            raise UnreadableError(f"{reply_envelope.type} is not a reply")
        return reply

    async def serve_asks(self, service: str, answer: Callable[[Question], Awaitable[Reply]]) -> None:
        """Answer asks to `service`, each in its own task, until the bus is closed."""
        running: set[asyncio.Task[None]] = set()

        async def one(message: Msg) -> None:
            try:
                question = self._question(message)
                reply = await answer(question)
                headers = self._envelope(reply.TYPE, reply.VERSION, causation_id=question.envelope.id).to_headers()
                FAILPOINTS.reach(f"reply.{question.command.TYPE}.before")
                await self._client.publish(message.reply, CODEC.encode(reply), headers=headers)
            except Exception:
                # The asker runs into its deadline and is told that the outcome is unknown, which is true.
                log.exception("ask not answered", extra={"subject": message.subject})

        async def arrived(message: Msg) -> None:
            task = asyncio.create_task(one(message))
            running.add(task)
            task.add_done_callback(running.discard)

        for number in range(streams.PARTITIONS):
            await self._client.subscribe(streams.ask_subject(service, number), queue=service, cb=arrived)

    def _question(self, message: Msg) -> Question:
        headers = message.headers or {}
        envelope = Envelope.from_headers(headers)
        command = CODEC.decode(envelope.type, envelope.version, message.data)
        if not isinstance(command, Command):
            raise UnreadableError(f"{envelope.type} is not a command")
        timeout_s = float(headers.get("actium-timeout", ASK_TIMEOUT_S))
        return Question(command=command, envelope=envelope, deadline=self._clock.monotonic() + timeout_s)

    async def ask_status(self, service: str, *, timeout_s: float = 1.0) -> dict[str, Any]:
        """
        Ask a service how it is; see `serve_status`.

        Raises:
            RetryableError: it does not answer.
        """
        message = await self.request(streams.ask_subject(service, "status"), b"", timeout_s=timeout_s)
        status: dict[str, Any] = json.loads(message.data)
        return status

    async def serve_status(self, service: str, status: Callable[[], Mapping[str, object]]) -> None:
        """Answer status requests with `status()` as JSON."""

        async def arrived(message: Msg) -> None:
            await self._client.publish(message.reply, json.dumps(status(), default=str).encode())

        await self._client.subscribe(streams.ask_subject(service, "status"), cb=arrived)

    async def subscribe(self, subject: str, arrived: Callable[[Msg], Awaitable[None]]) -> None:
        """Have `arrived` called for each core message."""
        await self._client.subscribe(subject, cb=arrived)

    # -- streams

    async def last_sequence(self, stream: str) -> int:
        """Give the sequence of the newest message of a stream, 0 when it is empty."""
        info = await self.api(f"STREAM.INFO.{stream}", {})
        return int(info["state"]["last_seq"])

    async def first_since(self, stream: str, at: datetime, *, timeout_s: float = API_TIMEOUT_S) -> int:
        """Give the sequence of the first message stored at `at` or later; one past the newest where there is none."""
        end = await self.last_sequence(stream)
        at = min(max(at, EPOCH), LATEST)
        found = await self._direct_get(stream, {"start_time": at.isoformat(), "next_by_subj": ">"}, timeout_s=timeout_s)
        return int(found["Nats-Sequence"]) if found else end + 1

    async def stored_at(self, stream: str, sequence: int, *, timeout_s: float = API_TIMEOUT_S) -> datetime | None:
        """Give the time at which a message was stored; None where there is none of that sequence."""
        found = await self._direct_get(stream, {"seq": sequence}, timeout_s=timeout_s)
        return datetime.fromisoformat(found["Nats-Time-Stamp"]) if found else None

    async def _direct_get(
        self, stream: str, wanted: Mapping[str, object], *, timeout_s: float
    ) -> Mapping[str, str] | None:
        message = await self.request(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), timeout_s=timeout_s)
        headers = message.headers or {}
        return headers if "Nats-Sequence" in headers else None

    async def count_behind(self, stream: str, *, after: int, subjects: tuple[str, ...] = ()) -> int:
        """
        Give how many messages a feed that stands at `after` has yet to read.

        Raises:
            RetryableError: the bus cannot tell now.
        """
        async with self._pulling(stream, _feed_config(after + 1, subjects), batch=1) as pull:
            if pull is None:
                raise RetryableError(f"cannot count what is behind {after} on {stream}")
            return pull.pending_at_start

    async def feed(
        self, stream: str, *, after: int, subjects: tuple[str, ...] = (), until_end: bool = False
    ) -> AsyncGenerator[Delivery, None]:
        """
        Give every message behind sequence `after`, in order, none twice and none left out, waiting for new ones.

        With `until_end` it ends where the stream ends.
        """
        last = after
        while True:
            async with self._pulling(stream, _feed_config(last + 1, subjects), batch=FEED_BATCH) as pull:
                if pull is None:
                    continue
                if until_end and pull.pending_at_start == 0:
                    return
                async for delivery in pull.deliveries():
                    last = delivery.sequence
                    yield delivery
                    if until_end and delivery.pending == 0:
                        return

    async def work(self, service: str, number: int) -> AsyncIterator[Delivery]:
        """Give the orders of one partition, one at a time: the next comes when this one is acknowledged."""
        config = {
            "durable_name": f"{service}-{number}",
            "filter_subject": f"cmd.{service}.{number}.*",
            "ack_policy": "explicit",
            "ack_wait": int(ACK_WAIT_S * NANO),
            "max_ack_pending": 1,
            "mem_storage": True,
        }
        while True:
            async with self._pulling(streams.COMMANDS, config, batch=1) as pull:
                if pull is None:
                    continue
                async for delivery in pull.deliveries():
                    yield delivery

    @asynccontextmanager
    async def _pulling(self, stream: str, config: Mapping[str, object], *, batch: int) -> AsyncIterator[Pull | None]:
        durable = config.get("durable_name")
        try:
            pull = await self._open(stream, config, batch=batch)
        except RetryableError as exc:
            log.info("pull not open yet", extra={"stream": stream, "error": str(exc)})
            await self._clock.sleep(0.1)
            yield None
            return
        self._pulls.add(pull)
        try:
            yield pull
        finally:
            self._pulls.discard(pull)
            await pull.close(delete_consumer=durable is None)

    async def _open(self, stream: str, config: Mapping[str, object], *, batch: int) -> Pull:
        name = str(config.get("durable_name") or f"{self.user}-{self._ids.new()[:13]}")
        subject = f"CONSUMER.CREATE.{stream}.{name}"
        if "filter_subject" in config:
            subject += f".{config['filter_subject']}"
        request = {"stream_name": stream, "config": {**config, "name": name}}
        try:
            info = await self.api(subject, request)
        except ApiError as exc:
            if exc.code == NO_STREAM:
                await self.ensure_streams()
            raise RetryableError(str(exc)) from exc
        pull = Pull(
            self._client,
            stream,
            name,
            batch=batch,
            ordered="durable_name" not in config,
            pending=int(info["num_pending"]),
        )
        await pull.start()
        return pull

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


class ApiError(PermanentError):
    """JetStream's refusal, with its error code."""

    def __init__(self, subject: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{subject}: {error.get('description')} ({error.get('err_code')})")
        self.code = int(error.get("err_code", 0))


def _stream_config(stream: streams.Stream) -> dict[str, object]:
    config: dict[str, object] = {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "storage": "memory" if stream.in_memory else "file",
        "retention": "workqueue" if stream.workqueue else "limits",
        "max_age": int(stream.max_age_s * NANO),
        "duplicate_window": int(min(streams.DUPLICATE_WINDOW_S, stream.max_age_s or streams.DUPLICATE_WINDOW_S) * NANO),
        "deny_delete": stream.permanent,
        "deny_purge": stream.permanent,
        "allow_direct": True,
        "num_replicas": 1,
        "max_msgs_per_subject": 1 if stream.last_per_subject else -1,
        "compression": "s2" if stream.compressed else "none",
    }
    if stream.transform:
        config["subject_transform"] = {"src": stream.transform[0], "dest": stream.transform[1]}
    return config


def _feed_config(start: int, subjects: tuple[str, ...]) -> dict[str, object]:
    config: dict[str, object] = {
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": start,
        "ack_policy": "none",
        "inactive_threshold": 60 * NANO,
        "mem_storage": True,
        "num_replicas": 1,
    }
    if len(subjects) == 1:
        config["filter_subject"] = subjects[0]
    elif subjects:
        config["filter_subjects"] = list(subjects)
    return config
