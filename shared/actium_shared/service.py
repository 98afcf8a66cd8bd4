"""
The frame around every service: it connects, runs feeds, orders and loops under one owner, and stops in one way.

Only this module decides between acknowledging, trying again and parking; handlers never touch a bus message.
"""

import asyncio
import ctypes
import logging
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from actium_shared import streams, tasks, telemetry
from actium_shared.bus import Answer, Bus, Delivery, Question
from actium_shared.clock import Clock, SystemClock
from actium_shared.codec import CODEC
from actium_shared.dead_letters import DeadLetters, Letter
from actium_shared.envelope import Envelope
from actium_shared.errors import BrokenStoreError, PermanentError, RetryableError, SettingsError, VersionConflictError
from actium_shared.event_store import Recorded, recorded
from actium_shared.failpoints import FAILPOINTS
from actium_shared.message import Order, Reply
from actium_shared.settings import Settings
from actium_shared.telemetry import correlation_id, span

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0
RETRIES_MOST = 10
"""After so many tries (about ten seconds) an order is parked rather than holding up what is behind it: who ordered it
orders it again as long as it is wished. A commit is told only once, so its feed waits."""

BLOCKED_MOST_S = 30.0
"""A feed that stands still for longer shows as not healthy; a leader change or a restart is over by then."""

PR_SET_DUMPABLE = 4
"""Of prctl(2)."""

READ_BUFFER_BYTES = 256 * 1024
"""What asyncio makes room for each time that it reads from a socket."""

CommitHandler = Callable[[Recorded], Awaitable[None]]
FeedHandler = Callable[[Sequence[Recorded]], Awaitable[object]]
OrderHandler = Callable[[Order], Awaitable[None]]
Passes = Callable[[Delivery], bool]
"""Tells that a commit needs no handling, before it is decoded."""

TOGETHER_MOST = 32
"""So many commits that wait are handled together: what is behind them, a deadline too, waits for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """What a feed stands still at: it cannot be handled for now, and nothing behind it may overtake it."""

    sequence: int
    since: datetime
    error: str


@dataclass(slots=True)
class FeedState:
    """How a feed is doing, for `status`."""

    stream: str
    position: int
    subjects: tuple[str, ...] = ()
    blocked: Blocked | None = None
    done: Callable[[Delivery], None] = lambda _delivery: None

    def reach(self, delivery: Delivery) -> None:
        """Note that this one and all before it are dealt with."""
        self.position = delivery.sequence
        self.done(delivery)


@dataclass(slots=True)
class Service:
    """One running service. `main` fills it, `run` runs it until it is told to stop."""

    name: str
    bus: Bus
    clock: Clock = field(default_factory=SystemClock)
    positions_kept_in: str = "the table `positions`"
    parked: int = 0
    _feeds: list[FeedState] = field(default_factory=list)
    _starts: list[tuple[str, Callable[[], Awaitable[None]]]] = field(default_factory=list)
    _facts: list[Callable[[], Mapping[str, object]]] = field(default_factory=list)
    _order_handlers: Mapping[type[Order], OrderHandler] = field(default_factory=dict)
    _dead_letters: DeadLetters = field(init=False)
    _started_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._started_at = self.clock.now()
        self._dead_letters = DeadLetters(self.name, self.bus, self.clock, self._retry)

    def feed(
        self,
        stream: str,
        handler: FeedHandler,
        *,
        after: int,
        subjects: tuple[str, ...] = (),
        most: int = TOGETHER_MOST,
        passes: Passes = lambda _delivery: False,
        pause_s: float = 0.0,
        done: Callable[[Delivery], None] = lambda _delivery: None,
    ) -> None:
        """
        Have every commit behind `after` handled, in order; the handler keeps the position in its own store.

        Those that wait for the handler anyway are handled together, up to `most` at once. One that comes alone is handled
        at once; those that come within `pause_s` of others wait so long for each other. `subjects`: none others come at
        all, and cost nothing. `done` is told how far the stream is dealt with: handled, passed over, or parked, even if
        it could not be read.
        """
        state = FeedState(stream, after, subjects, done=done)
        self._feeds.append(state)
        self._starts.append(
            (f"feed {stream}", lambda: self._run_feed(state, handler, most=most, passes=passes, pause_s=pause_s))
        )

    def orders(self, handlers: Mapping[type[Order], OrderHandler]) -> None:
        """Have the orders of all partitions handled; an order is acknowledged when its handler returns."""
        self._order_handlers = handlers
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
            **self._blocked(),
        }

    def _blocked(self) -> dict[str, object]:
        blocked = {state.stream: state.blocked for state in self._feeds if state.blocked is not None}
        if not blocked:
            return {}
        told: dict[str, object] = {"blocked": {stream: asdict(what) for stream, what in blocked.items()}}
        stream, longest = min(blocked.items(), key=lambda item: item[1].since)
        if (self.clock.now() - longest.since).total_seconds() > BLOCKED_MOST_S:
            detail = f"stands still at {stream} {longest.sequence} since {longest.since.isoformat()}: {longest.error}"
            told |= {"healthy": False, "detail": detail}
        return told

    async def run(self) -> None:
        """
        Run until SIGTERM or SIGINT, or until a part fails.

        Raises:
            ExceptionGroup: what failed; the supervisor starts the process again.
            SettingsError: the kept positions belong to another log than the one on this bus.
        """
        await self._check_positions()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.bus.serve_status(self.name, self.status)
        await self.bus.serve_asks(
            self.name, within_request(self._dead_letters.decide), partitions=(streams.DEAD_LETTERS_PARTITION,)
        )
        log.info("ready")
        parts = [asyncio.create_task(_named(name, start()), name=name) for name, start in self._starts]
        parts.append(asyncio.create_task(self.bus.failed(), name="bus"))
        told = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([*parts, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            log.info("stopping")
            try:
                await self.bus.end_asks()  # first, while the feeds that decisions wait for still run
            finally:
                await tasks.end([*parts, told])
        failures = [exc for part in parts if not part.cancelled() and (exc := part.exception()) is not None]
        if failures:
            raise BaseExceptionGroup(f"{self.name} failed", failures)

    async def _check_positions(self) -> None:
        for state in self._feeds:
            end = await self.bus.last_sequence(state.stream)
            if state.position > end:
                raise SettingsError(
                    f"{self.positions_kept_in} says that {state.stream} is read up to {state.position}, but the stream"
                    f" ends at {end}: it is not the log that was read. Bring back that log, or remove what was made"
                    " from it, to have it made anew from this one"
                )

    async def _run_feed(
        self, state: FeedState, handler: FeedHandler, *, most: int, passes: Passes, pause_s: float
    ) -> None:
        waiting: list[Delivery] = []
        async for delivery in self.bus.feed(state.stream, after=state.position, subjects=state.subjects):
            if waiting or not passes(delivery):  # what passes behind one that waits must not overtake it
                waiting.append(delivery)
            if delivery.pending > 0 and len(waiting) < most:
                continue
            had, waiting = waiting, []
            if had:
                await self._insist_on_batch(state, had, handler)
            state.reach(delivery)
            if had and pause_s and delivery.pending == 0:
                await self.clock.sleep(pause_s)

    async def _insist_on_batch(self, state: FeedState, deliveries: Sequence[Delivery], handler: FeedHandler) -> None:
        try:
            await handler([recorded(delivery) for delivery in deliveries])
            return
        except BrokenStoreError:
            raise
        except (RetryableError, VersionConflictError) as exc:
            log.info("not together, so one by one", extra={"subject": deliveries[0].subject, "error": str(exc)})
        except Exception:
            log.exception("batch failed, one by one", extra={"subject": deliveries[0].subject})
        for delivery in deliveries:  # so that only what is at fault is tried again or parked
            await self._insist(state, delivery, lambda delivery=delivery: handler([recorded(delivery)]))  # type: ignore[misc]
            state.reach(delivery)

    async def _run_orders(self, number: int, handlers: Mapping[type[Order], OrderHandler]) -> None:
        async for delivery in self.bus.work(self.name, number):
            await self._attempt(delivery, lambda delivery=delivery: _handle_order(delivery, handlers))  # type: ignore[misc]
            FAILPOINTS.reach("acknowledge.before")
            await delivery.acknowledge()

    async def _insist(self, state: FeedState, delivery: Delivery, handle: Callable[[], Awaitable[object]]) -> None:
        """Handle a commit, however long it takes: one that is passed over would be missing for ever."""
        delay_s = RETRY_FIRST_S
        while (failure := await self._once(delivery, handle)) is not None:
            since = state.blocked.since if state.blocked else self.clock.now()
            state.blocked = Blocked(sequence=delivery.sequence, since=since, error=str(failure))
            log.warning("feed waits", extra={"subject": delivery.subject, "error": str(failure)})
            await self.clock.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MOST_S)
        state.blocked = None

    async def _attempt(self, delivery: Delivery, handle: Callable[[], Awaitable[object]]) -> None:
        """Handle an order, or park it when it fails too often."""
        delay_s = RETRY_FIRST_S
        for attempt in range(1, RETRIES_MOST + 1):
            failure = await self._once(delivery, handle)
            if failure is None:
                return
            log.warning("again", extra={"subject": delivery.subject, "attempt": attempt, "error": str(failure)})
            if attempt == RETRIES_MOST:
                await self._park(delivery, failure)
                return
            await delivery.still_busy()
            await self.clock.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MOST_S)

    async def _once(self, delivery: Delivery, handle: Callable[[], Awaitable[object]]) -> Exception | None:
        """Give the failure if it may pass; what will not pass is parked, as it must not stop what is behind it."""
        try:
            await handle()
        except (RetryableError, VersionConflictError) as exc:
            return exc
        except BrokenStoreError:
            raise
        except Exception as exc:
            log.exception("parked", extra={"subject": delivery.subject, "sequence": delivery.sequence})
            await self._park(delivery, exc)
        return None

    async def _park(self, delivery: Delivery, exc: Exception) -> None:
        await self._dead_letters.park(delivery, exc)
        self.parked += 1

    async def _retry(self, letter: Letter) -> None:
        await _handle_order(letter, self._order_handlers)


def within_request(answer: Answer) -> Answer:
    """Have asks answered in a span and with the correlation id of the request that they belong to."""

    async def answer_within(question: Question) -> Reply:
        token = correlation_id.set(question.envelope.correlation_id)
        try:
            with span(question.command.TYPE, traceparent=question.envelope.traceparent):
                return await answer(question)
        finally:
            correlation_id.reset(token)

    return answer_within


async def _named(name: str, work: Awaitable[None]) -> None:
    await work
    raise RuntimeError(f"{name} ended by itself")


async def handle_within_request(commit: Recorded, handler: CommitHandler) -> None:
    """Have a commit handled in a span and with the correlation id of the request that it belongs to."""
    token = correlation_id.set(commit.envelope.correlation_id)
    try:
        with span(f"commit {commit.aggregate}", traceparent=commit.envelope.traceparent):
            await handler(commit)
    finally:
        correlation_id.reset(token)


async def _handle_order(message: Delivery | Letter, handlers: Mapping[type[Order], OrderHandler]) -> None:
    envelope = Envelope.from_headers(message.headers)
    order = CODEC.decode(envelope.type, envelope.version, message.body)
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
    keep_memory_private()
    keep_buffers()
    if settings.failpoints_folder is not None:
        FAILPOINTS.arm(settings.failpoints_folder, name)

    async def run() -> None:
        await main(settings)

    try:
        asyncio.run(run())
    except SettingsError as exc:  # such as a file that a setting names and that is not there
        sys.exit(f"actium {name}: {exc}")


def keep_memory_private() -> None:
    """
    See to it that no core dump of this process is made: it would hold keys.

    The limit alone does not bind a program that the system pipes dumps to; a process that is not dumpable has none.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not let this process be not dumpable")


def keep_buffers() -> None:
    """
    Have the C library take buffers of this size from its heap.

    Else each read from a socket maps memory, has it filled with zeros and unmaps it, which was a tenth of the planner's
    time. glibc learns it from a larger block that is given back.
    """
    bytearray(2 * READ_BUFFER_BYTES)


def connect(name: str, settings: Settings) -> Bus:
    """Give the service's connection to the bus, to be entered with `async with`."""
    return Bus(url=settings.nats_url, user=settings.nats_user or name, password=settings.nats_password())
