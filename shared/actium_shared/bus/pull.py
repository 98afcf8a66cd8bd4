"""
A continuous pull on one JetStream consumer: requests are kept outstanding, so that messages flow without asking each time.

nats-py's `fetch()` costs five times the CPU. A pull ends when anything may have been lost (a gap, a silence, a
reconnect); its user starts a new one where it stands.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from actium_shared.bus.client import LightClient
from actium_shared.bus.stream_settings import NANO

log = logging.getLogger(__name__)

IDLE_HEARTBEAT_S = 5.0
"""The server says so often that a pull is alive; after twice this silence it is given up."""

EXPIRES_S = 30.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACK_TOKENS = 9
"""In the reply subject of a delivery; servers with a domain put two more in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    One message of a stream. `sequence` is its place there, `pending` how many wait behind it for this reader.

    Those that have arrived and are not given out yet count among the pending: who takes many at once wants them, too.
    """

    subject: str
    body: bytes
    headers: Mapping[str, str]
    stream: str
    sequence: int
    pending: int
    delivery_count: int
    time: datetime
    acknowledge: Callable[[], Awaitable[None]]
    """Say that it is done. Where that cannot be said now, it comes again."""
    still_busy: Callable[[], Awaitable[None]]
    """Ask for another acknowledgement wait."""


class Pull:
    """On a consumer that exists: `start` it, iterate `deliveries` once, `close` it."""

    def __init__(
        self, client: LightClient, stream: str, consumer: str, *, batch: int, ordered: bool, pending: int
    ) -> None:
        self.pending_at_start = pending
        self._client = client
        self._stream, self._consumer = stream, consumer
        self._batch, self._ordered = batch, ordered
        self._outstanding = 0
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._arrived_count = 0  # of messages of the stream: the queue holds the server's words about the pull, too
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Listen; nothing is asked for yet."""

        def arrived(message: Msg) -> None:
            self._arrived_count += not _is_status(message)
            self._arrived.put_nowait(message)

        self._subscription = await self._client.take(self._inbox, arrived)

    def end(self) -> None:
        """Make `deliveries` stop after what has arrived."""
        self._arrived.put_nowait(None)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Give messages as they come; ends when one may be missing. The consumer is asked for more at half a batch."""
        expected = 1
        while True:
            if self._outstanding <= self._batch // 2 and not await self._ask_for_more():
                return
            message = await self._next()
            if message is None:
                return
            if _is_status(message):
                if not self._still_good(message.headers or {}):
                    return
                continue
            self._outstanding -= 1
            self._arrived_count -= 1
            delivery, consumer_sequence = self._delivery(message)
            if self._ordered and consumer_sequence != expected:
                log.warning("gap in feed", extra={"stream": self._stream, "expected": expected})
                return
            expected += 1
            yield delivery

    async def close(self, *, delete_consumer: bool) -> None:
        """Stop listening, and tell the server to forget the consumer if it was only ours."""
        if self._client.is_closed or self._subscription is None:
            return
        try:
            await self._subscription.unsubscribe()
            if delete_consumer and self._client.is_connected:
                await self._client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._consumer}", b"")
        except (nats.errors.Error, OSError) as exc:
            log.info("pull not closed cleanly", extra={"stream": self._stream, "error": str(exc)})

    async def _ask_for_more(self) -> bool:
        batch = self._batch - self._outstanding
        request = {"batch": batch, "expires": int(EXPIRES_S * NANO), "idle_heartbeat": int(IDLE_HEARTBEAT_S * NANO)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        try:
            await self._client.publish(subject, json.dumps(request).encode(), reply=self._inbox)
        except (nats.errors.Error, OSError) as exc:
            log.info("cannot pull now", extra={"stream": self._stream, "error": str(exc)})
            return False
        self._outstanding += batch
        return True

    async def _next(self) -> Msg | None:
        if not self._arrived.empty():
            return self._arrived.get_nowait()
        try:
            async with asyncio.timeout(2 * IDLE_HEARTBEAT_S):
                return await self._arrived.get()
        except TimeoutError:
            log.warning("pull fell silent", extra={"stream": self._stream, "consumer": self._consumer})
            return None

    def _still_good(self, headers: Mapping[str, str]) -> bool:
        status = headers.get("Status")
        if status == "100":
            return True
        if status in ("404", "408", "409") and "Deleted" not in headers.get("Description", ""):
            self._outstanding -= int(headers.get("Nats-Pending-Messages", self._outstanding))
            return True
        return False  # nobody there, or the consumer is gone

    def _delivery(self, message: Msg) -> tuple[Delivery, int]:
        parts = message.reply.split(".")
        first = 2 if len(parts) == ACK_TOKENS else 4
        stream, _, delivered, sequence, consumer_sequence, nanoseconds, pending = parts[first : first + 7]

        delivery = Delivery(
            subject=message.subject,
            body=message.data,
            headers=message.headers or {},
            stream=stream,
            sequence=int(sequence),
            pending=int(pending) + self._arrived_count,
            delivery_count=int(delivered),
            # Rounded down, by whole numbers: who asks for what was stored from this time on gets this message too.
            time=EPOCH + timedelta(microseconds=int(nanoseconds) // 1000),
            acknowledge=lambda: self._tell(message, b"+ACK"),
            still_busy=lambda: self._tell(message, b"+WPI"),
        )
        return delivery, int(consumer_sequence)

    async def _tell(self, message: Msg, word: bytes) -> None:
        try:
            await self._client.publish(message.reply, word)
        except (nats.errors.Error, OSError) as exc:  # what is not acknowledged comes again, and is recognised
            log.info("not told", extra={"subject": message.subject, "word": word.decode(), "error": repr(exc)})


def _is_status(message: Msg) -> bool:
    """Tell the server's words about a pull from messages of the stream."""
    return message.headers is not None and "Status" in message.headers
