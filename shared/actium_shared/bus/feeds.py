"""Feeds of streams and orders to services. Whoever reads survives a restarted server: what lived in its memory is made again."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Unpack

from actium_shared import streams
from actium_shared.bus.connection import Address
from actium_shared.bus.jetstream import API_TIMEOUT_S, NO_STREAM, ApiError, JetStream
from actium_shared.bus.pull import Delivery, Pull
from actium_shared.bus.stream_settings import NANO
from actium_shared.codec import CODEC
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.failpoints import FAILPOINTS
from actium_shared.message import Order

log = logging.getLogger(__name__)

FEED_BATCH = 512
ACK_WAIT_S = 4.0
"""How long a partition stands still after its worker was killed: handlers only store what is wished, in milliseconds."""

REOPEN_S = 0.1
FORGET_AFTER_S = 60.0


class Feeds(JetStream):
    """What is read from streams, and what is put there for others."""

    def __init__(self, **address: Unpack[Address]) -> None:
        super().__init__(**address)
        self._pulls: set[Pull] = set()
        self.on_reconnect(self._end_pulls)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_pulls()
        await super().__aexit__(kind, exc, trace)

    def _end_pulls(self) -> None:
        for pull in self._pulls:
            pull.end()

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

        Raises:
            PermanentError: the stream was replaced by another one of that name, or may not be read.
        """
        last = after
        while True:
            async with self._pulling(stream, _feed_config(last + 1, subjects), batch=FEED_BATCH) as pull:
                if pull is None or not await self._is_still_the_same(stream, last):
                    continue
                if until_end and pull.pending_at_start == 0:
                    return
                async for delivery in pull.deliveries():
                    last = delivery.sequence
                    yield delivery
                    if until_end and delivery.pending == 0:
                        return

    async def _is_still_the_same(self, stream: str, last: int) -> bool:
        """Give False where that cannot be told now. Streams in memory begin anew with their server; no other may."""
        if last == 0 or streams.BY_NAME[stream].in_memory:
            return True
        try:
            end = await self.last_sequence(stream)
        except RetryableError as exc:
            log.info("stream does not tell its end", extra={"stream": stream, "error": str(exc)})
            return False
        if end < last:
            raise PermanentError(f"{stream} ends at {end}, but was read up to {last}: it was replaced by another one")
        return True

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
            await self._clock.sleep(REOPEN_S)
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
            if exc.code != NO_STREAM:
                raise
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


def _feed_config(start: int, subjects: tuple[str, ...]) -> dict[str, object]:
    config: dict[str, object] = {
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": start,
        "ack_policy": "none",
        "inactive_threshold": int(FORGET_AFTER_S * NANO),
        "mem_storage": True,
        "num_replicas": 1,
    }
    if len(subjects) == 1:
        config["filter_subject"] = subjects[0]
    elif subjects:
        config["filter_subjects"] = list(subjects)
    return config
