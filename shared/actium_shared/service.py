"""
The frame around every service: it connects, runs feeds, orders and loops under one owner, and stops in one way.

Only this module decides between acknowledging, trying again and parking; handlers never touch a bus message.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from actium_shared import streams, telemetry
from actium_shared.bus import Bus
from actium_shared.clock import Clock, SystemClock
from actium_shared.codec import CODEC
from actium_shared.envelope import Envelope
from actium_shared.errors import BrokenStoreError, PermanentError, RetryableError, SettingsError, VersionConflictError
from actium_shared.event_store import Recorded, recorded
from actium_shared.failpoints import FAILPOINTS
from actium_shared.message import Order
from actium_shared.pull import Delivery
from actium_shared.settings import Settings
from actium_shared.telemetry import correlation_id, span

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0
RETRIES_MOST = 10
"""After so many tries (about ten seconds) a message is parked rather than holding up what is behind it."""

CANCEL_AGAIN_S = 0.5

FeedHandler = Callable[[Recorded], Awaitable[None]]
BatchHandler = Callable[[Sequence[Recorded]], Awaitable[None]]
OrderHandler = Callable[[Order], Awaitable[None]]


@dataclass(slots=True)
class FeedState:
    """How a feed is doing, for `status`."""

    stream: str
    position: int
    subjects: tuple[str, ...] = ()


@dataclass(slots=True)
class Service:
    """One running service. `main` fills it, `run` runs it until it is told to stop."""

    name: str
    bus: Bus
    clock: Clock = field(default_factory=SystemClock)
    parked: int = 0
    _feeds: list[FeedState] = field(default_factory=list)
    _starts: list[tuple[str, Callable[[], Awaitable[None]]]] = field(default_factory=list)
    _facts: list[Callable[[], Mapping[str, object]]] = field(default_factory=list)
    _started_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._started_at = self.clock.now()

    def feed(self, stream: str, handler: FeedHandler, *, after: int, subjects: tuple[str, ...] = ()) -> None:
        """Have every commit behind `after` handled, in order; the handler keeps the position in its own store."""
        state = FeedState(stream, after, subjects)
        self._feeds.append(state)
        self._starts.append((f"feed {stream}", lambda: self._run_feed(state, handler)))

    def feed_batches(self, stream: str, handler: BatchHandler, *, after: int, most: int) -> None:
        """Like `feed`, but commits that wait for the handler anyway are handled together, up to `most` at once."""
        state = FeedState(stream, after)
        self._feeds.append(state)
        self._starts.append((f"feed {stream}", lambda: self._run_batches(state, handler, most)))

    def orders(self, handlers: Mapping[type[Order], OrderHandler]) -> None:
        """Have the orders of all partitions handled; an order is acknowledged when its handler returns."""
        for number in range(streams.PARTITIONS):
            self._starts.append((f"orders {number}", lambda number=number: self._run_orders(number, handlers)))  # type: ignore[misc]

    def loop(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Have `run` run for as long as the service does; its end ends the service."""
        self._starts.append((name, run))

    def fact(self, tell: Callable[[], Mapping[str, object]]) -> None:
        """Add what `tell` gives to the service's status."""
        self._facts.append(tell)

    def status(self) -> dict[str, object]:
        """Give the service's own account of itself; the asker computes the lag from `positions`."""
        facts: dict[str, object] = {}
        for tell in self._facts:
            facts |= tell()
        return {
            "name": self.name,
            "started_at": self._started_at.isoformat(),
            "parked": self.parked,
            "positions": {state.stream: state.position for state in self._feeds},
            "filters": {state.stream: state.subjects for state in self._feeds if state.subjects},
            **facts,
        }

    async def run(self) -> None:
        """
        Run until SIGTERM or SIGINT, or until a part fails.

        Raises:
            ExceptionGroup: what failed; the supervisor starts the process again.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.bus.serve_status(self.name, self.status)
        log.info("ready")
        tasks = [asyncio.create_task(_named(name, start()), name=name) for name, start in self._starts]
        told = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([*tasks, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            log.info("stopping")
            await _end([*tasks, told])
        failures = [exc for task in tasks if not task.cancelled() and (exc := task.exception()) is not None]
        if failures:
            raise BaseExceptionGroup(f"{self.name} failed", failures)

    async def _run_feed(self, state: FeedState, handler: FeedHandler) -> None:
        async for delivery in self.bus.feed(state.stream, after=state.position, subjects=state.subjects):
            await self._attempt(delivery, lambda delivery=delivery: _handle_commit(delivery, handler))  # type: ignore[misc]
            state.position = delivery.sequence

    async def _run_batches(self, state: FeedState, handler: BatchHandler, most: int) -> None:
        waiting: list[Delivery] = []
        async for delivery in self.bus.feed(state.stream, after=state.position):
            waiting.append(delivery)
            if delivery.pending > 0 and len(waiting) < most:
                continue
            await self._attempt_batch(waiting, handler)
            state.position = delivery.sequence
            waiting = []

    async def _attempt_batch(self, deliveries: Sequence[Delivery], handler: BatchHandler) -> None:
        try:
            await handler([recorded(delivery) for delivery in deliveries])
        except BrokenStoreError:
            raise
        except Exception:  # one by one, so that only what is at fault is tried again or parked
            log.exception("batch failed, one by one", extra={"subject": deliveries[0].subject})
            for delivery in deliveries:
                await self._attempt(delivery, lambda delivery=delivery: handler([recorded(delivery)]))  # type: ignore[misc]

    async def _run_orders(self, number: int, handlers: Mapping[type[Order], OrderHandler]) -> None:
        async for delivery in self.bus.work(self.name, number):
            await self._attempt(delivery, lambda delivery=delivery: _handle_order(delivery, handlers))  # type: ignore[misc]
            FAILPOINTS.reach("acknowledge.before")
            await delivery.acknowledge()

    async def _attempt(self, delivery: Delivery, handle: Callable[[], Awaitable[None]]) -> None:
        delay_s = RETRY_FIRST_S
        for attempt in range(1, RETRIES_MOST + 1):
            try:
                await handle()
                return
            except (RetryableError, VersionConflictError) as exc:
                log.warning("again", extra={"subject": delivery.subject, "attempt": attempt, "error": str(exc)})
                if attempt == RETRIES_MOST:
                    await self._park(delivery, exc)
                    return
            except BrokenStoreError:
                raise
            except Exception as exc:  # a fault of ours must not stop what is behind it
                log.exception("parked", extra={"subject": delivery.subject, "sequence": delivery.sequence})
                await self._park(delivery, exc)
                return
            if delivery.stream == streams.COMMANDS:
                await delivery.still_busy()
            await self.clock.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MOST_S)

    async def _park(self, delivery: Delivery, exc: Exception) -> None:
        self.parked += 1
        letter = {
            "stream": delivery.stream,
            "sequence": delivery.sequence,
            "subject": delivery.subject,
            "reason": f"{type(exc).__name__}: {exc}",
            "time": self.clock.now(),
        }
        headers = {"Nats-Msg-Id": f"{self.name}/{delivery.stream}/{delivery.sequence}"}
        while True:
            try:
                body = msgspec.msgpack.encode(letter | {"body": delivery.body, "headers": dict(delivery.headers)})
                await self.bus.store(f"dead.{self.name}", body, headers=headers, timeout_s=5.0)
                return
            except RetryableError:
                await self.clock.sleep(RETRY_MOST_S)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    # Once is not enough: nats-py's flush swallows a cancellation, and so does 3.11's wait_for when an answer comes with it.
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_AGAIN_S)


async def _named(name: str, work: Awaitable[None]) -> None:
    await work
    raise RuntimeError(f"{name} ended by itself")


async def _handle_commit(delivery: Delivery, handler: FeedHandler) -> None:
    commit = recorded(delivery)
    token = correlation_id.set(commit.envelope.correlation_id)
    try:
        with span(f"commit {commit.aggregate}", traceparent=commit.envelope.traceparent):
            await handler(commit)
    finally:
        correlation_id.reset(token)


async def _handle_order(delivery: Delivery, handlers: Mapping[type[Order], OrderHandler]) -> None:
    envelope = Envelope.from_headers(delivery.headers)
    order = CODEC.decode(envelope.type, envelope.version, delivery.body)
    handler = handlers.get(type(order))  # type: ignore[arg-type]
    if handler is None or not isinstance(order, Order):
        raise PermanentError(f"no handler for {envelope.type}")
    token = correlation_id.set(envelope.correlation_id)
    try:
        with span(envelope.type, traceparent=envelope.traceparent):
            await handler(order)
    finally:
        correlation_id.reset(token)


def start(name: str, settings_class: type[Settings], main: Callable[..., Awaitable[None]]) -> None:
    """Be the process of a service: settings, logs, `main(settings)`, exit code."""
    try:
        settings = settings_class.from_environment()
    except SettingsError as exc:
        sys.exit(f"actium {name}: {exc}")
    telemetry.set_up(name, level=settings.log_level)
    if settings.failpoints_folder is not None:
        FAILPOINTS.arm(settings.failpoints_folder, name)

    async def run() -> None:
        await main(settings)

    try:
        asyncio.run(run())
    except SettingsError as exc:  # such as a file that a setting names and that is not there
        sys.exit(f"actium {name}: {exc}")


def connect(name: str, settings: Settings) -> Bus:
    """Give the service's connection to the bus, to be entered with `async with`."""
    return Bus(url=settings.nats_url, user=settings.nats_user or name, password=settings.nats_password())
