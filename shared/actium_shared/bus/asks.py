"""
Asks: a command to the owner of its target and the reply to it, over core NATS; and what services tell of themselves.

An ask carries its end with it: it is not decided once its asker has given up.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Unpack

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from actium_shared import streams, tasks
from actium_shared.bus.connection import Address, Connection
from actium_shared.bus.jetstream import ApiError
from actium_shared.codec import CODEC
from actium_shared.envelope import CALLERS_ID, Envelope
from actium_shared.errors import (
    BrokenStoreError,
    PermanentError,
    RetryableError,
    UnreadableError,
    VersionConflictError,
)
from actium_shared.failpoints import FAILPOINTS
from actium_shared.ids import partition
from actium_shared.message import Actor, Command, Reason, Rejected, Reply

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 20.0
"""Longer than an append may retry (15 s, a NATS leader change). Past this the outcome is unknown, and 503 says so."""

ASKS_MOST = 1000
"""Under way at once. More would only be late together; who gets no reply may ask again."""

TELL_EVERY_S = 1.0
END_TIMEOUT_S = 2.0
"""What is being decided when the service stops gets so long; an append takes milliseconds."""

_TIMEOUT = "actium-timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An ask as its answerer sees it."""

    command: Command
    envelope: Envelope
    deadline: float
    """Monotonic seconds: after it nobody waits for the answer."""


Answer = Callable[[Question], Awaitable[Reply]]


class Asks(Connection):
    """Asks, and answers those that are for this service."""

    def __init__(self, **address: Unpack[Address]) -> None:
        super().__init__(**address)
        self._subscriptions: list[Subscription] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._turned_away = 0
        self._told_at = 0.0

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.end_asks()
        finally:  # also where the wait for asks is cut short: nobody shall take us for being there still
            await super().__aexit__(kind, exc, trace)

    async def ask(
        self,
        command: Command,
        *,
        actor: Actor | None = None,
        timeout_s: float = ASK_TIMEOUT_S,
        command_id: str | None = None,
        subject: str | None = None,
    ) -> Reply:
        """
        Ask the owner of the command's target and give its reply; with an id of its own the command is done once.

        `subject` is for what is no partition's: see `serve_asks`.

        Raises:
            RetryableError: no reply in time; the outcome is unknown, and asking again is safe.
            PermanentError: the command is too large to be sent.
        """
        if subject is None:
            number = partition(streams.token(command.target), streams.PARTITIONS)
            subject = streams.ask_subject(command.SERVICE, number)
        envelope = self._envelope(command.TYPE, command.VERSION, actor=actor)
        if command_id is not None:
            envelope = replace(envelope, id=f"{CALLERS_ID}{command_id}")
        headers = envelope.to_headers() | {_TIMEOUT: str(timeout_s)}
        message = await self.request(subject, CODEC.encode(command), timeout_s=timeout_s, headers=headers)
        reply_envelope = Envelope.from_headers(message.headers or {})
        reply = CODEC.decode(reply_envelope.type, reply_envelope.version, message.data)
        if not isinstance(reply, Reply):
            raise UnreadableError(f"{reply_envelope.type} is not a reply")
        return reply

    async def serve_asks(
        self, service: str, answer: Answer, *, partitions: Iterable[int | str] = range(streams.PARTITIONS)
    ) -> None:
        """
        Answer asks to `service`, each in its own task, until `end_asks`. `partitions`: or what else they are asked under.

        What `answer` raises: PermanentError refuses by its words, BrokenStoreError ends the process; all else leaves
        the ask without a reply, and the asker is told that the outcome is unknown, which is true.
        """

        def arrived(message: Msg) -> None:
            if len(self._answering) >= ASKS_MOST:
                self._turn_away(message)
                return
            task = asyncio.create_task(self._reply(message, answer), name=f"answer {message.subject}")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        for number in partitions:
            subscription = await self.take(streams.ask_subject(service, number), arrived, queue=service)
            self._subscriptions.append(subscription)

    async def end_asks(self, *, timeout_s: float = END_TIMEOUT_S) -> None:
        """Take no more asks, let those under way end within `timeout_s`, and cancel the rest."""
        while self._subscriptions:
            subscription = self._subscriptions.pop()
            if not self._client.is_closed:
                await subscription.unsubscribe()
        answering = list(self._answering)
        if answering:
            await asyncio.wait(answering, timeout=timeout_s)
        await tasks.end(answering)

    def _turn_away(self, message: Msg) -> None:
        self._turned_away += 1
        now = self._clock.monotonic()
        if now - self._told_at >= TELL_EVERY_S:
            log.warning("too many asks", extra={"subject": message.subject, "turned_away": self._turned_away})
            self._told_at, self._turned_away = now, 0

    async def _reply(self, message: Msg, answer: Answer) -> None:
        try:
            question = self._question(message)
            if question.deadline <= self._clock.monotonic():
                log.warning("ask came after its end", extra={"type": question.command.TYPE})
                return
            reply = await _decided(question, answer)
            headers = self._envelope(reply.TYPE, reply.VERSION, causation_id=question.envelope.id).to_headers()
            FAILPOINTS.reach(f"reply.{question.command.TYPE}.before")
            await self.publish(message.reply, CODEC.encode(reply), headers=headers)
        except BrokenStoreError as exc:
            self.fail(exc)
        except (RetryableError, VersionConflictError) as exc:
            log.warning("ask not answered", extra={"subject": message.subject, "error": str(exc)})
        except Exception:
            log.exception("ask not answered", extra={"subject": message.subject})

    def _question(self, message: Msg) -> Question:
        headers = message.headers or {}
        envelope = Envelope.from_headers(headers)
        command = CODEC.decode(envelope.type, envelope.version, message.data)
        if not isinstance(command, Command):
            raise UnreadableError(f"{envelope.type} is not a command")
        # By the asker's clock, as it may have lain about in a buffer; clocks of one site agree within a second.
        timeout_s = float(headers.get(_TIMEOUT, ASK_TIMEOUT_S))
        left_s = timeout_s - max(0.0, (self._clock.now() - envelope.time).total_seconds())
        return Question(command=command, envelope=envelope, deadline=self._clock.monotonic() + left_s)

    async def ask_status(self, service: str, *, timeout_s: float = 1.0) -> dict[str, Any]:
        """
        Ask a service how it is; see `serve_status`.

        Raises:
            RetryableError: it does not answer.
        """
        message = await self.request(streams.ask_subject(service, "status"), b"", timeout_s=timeout_s)
        status: dict[str, Any] = json.loads(message.data)
        return status

    async def answer_to(self, service: str, name: str) -> None:
        """Have `is_there` find this process by a name of its own, as long as it lives."""

        async def arrived(message: Msg) -> None:
            try:
                await self.publish(message.reply, b"")
            except RetryableError as exc:
                log.info("presence not told", extra={"error": str(exc)})

        await self.subscribe(streams.ask_subject(service, name), arrived)
        await self.flush()

    async def is_there(self, service: str, name: str, *, timeout_s: float) -> bool:
        """
        Tell whether a process that answers to this name is on the bus, be it that it says nothing just now.

        Raises:
            RetryableError: we are not on the bus ourselves.
        """
        try:
            await self.request(streams.ask_subject(service, name), b"", timeout_s=timeout_s)
        except RetryableError as exc:
            if isinstance(exc.__cause__, nats.errors.NoRespondersError):
                return False
            if not isinstance(exc.__cause__, TimeoutError):
                raise
        return True

    async def serve_status(self, service: str, status: Callable[[], Mapping[str, object]]) -> None:
        """Answer status requests with `status()` as JSON."""

        async def arrived(message: Msg) -> None:
            try:
                await self.publish(message.reply, json.dumps(status(), default=str).encode())
            except RetryableError as exc:
                log.info("status not told", extra={"error": str(exc)})

        await self.subscribe(streams.ask_subject(service, "status"), arrived)


async def _decided(question: Question, answer: Answer) -> Reply:
    try:
        return await answer(question)
    except ApiError:
        raise  # the bus's refusal of what we do, not ours of what is asked
    except PermanentError as exc:
        log.warning("ask refused", extra={"type": question.command.TYPE, "error": str(exc)})
        return Rejected(reason=Reason.INVALID, detail=str(exc))
