"""Messages that a service could not digest: parked with the reason, and settled when an operator decides on them."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec

from actium_shared.bus import Bus, Delivery, Question
from actium_shared.clock import Clock
from actium_shared.codec import CODEC
from actium_shared.commands.dead_letters import DeadLetterCommand, RetryDeadLetter, SkipDeadLetter
from actium_shared.envelope import Envelope
from actium_shared.errors import BrokenStoreError, PermanentError, RetryableError, TooLargeError
from actium_shared.events.dead_letter import DeadLetterEvent, DeadLetterRetried, DeadLetterSkipped
from actium_shared.ids import RandomIds
from actium_shared.message import Accepted, Position, Reason, Rejected, Reply
from actium_shared.streams import COMMANDS, DEAD_LETTERS
from actium_shared.telemetry import correlation_id, traceparent

log = logging.getLogger(__name__)

BUS_TIMEOUT_S = 5.0
STORE_AGAIN_S = 2.0
LATE = (
    "What came after this event was handled without it, so it cannot be handled now. Where tables lack it they can be"
    " removed: the service makes them anew from the log when it starts. Skip it when that is done."
)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was parked: where it stood, what it was, and why it could not be digested."""

    stream: str = ""
    sequence: int = 0
    subject: str = ""
    reason: str = ""
    time: datetime | None = None
    headers: dict[str, str] = {}
    body: bytes = b""


class DeadLetters:
    """Those of one service; `retry` handles an order as if it had just come."""

    def __init__(self, service: str, bus: Bus, clock: Clock, retry: Callable[[Letter], Awaitable[None]]) -> None:
        self._service, self._bus, self._clock = service, bus, clock
        self._retry = retry

    async def park(self, delivery: Delivery, why: Exception) -> None:
        """Keep what cannot be digested; returns when it is kept, as it is passed over after that."""
        letter = Letter(
            stream=delivery.stream,
            sequence=delivery.sequence,
            subject=delivery.subject,
            reason=f"{type(why).__name__}: {why}",
            time=self._clock.now(),
            headers=dict(delivery.headers),
            body=delivery.body,
        )
        headers = {"Nats-Msg-Id": f"{self._service}/{delivery.stream}/{delivery.sequence}"}
        while True:
            try:
                await self._store(msgspec.msgpack.encode(letter), headers)
                return
            except TooLargeError:
                letter = msgspec.structs.replace(letter, body=b"")  # an event stands on its log; an order comes again
            except RetryableError:
                await self._clock.sleep(STORE_AGAIN_S)

    async def decide(self, question: Question) -> Reply:
        """
        Do what an operator asks for, and put it beside the letter.

        Raises:
            RetryableError: the bus does not give the letter, or take the decision.
        """
        command = question.command
        if not isinstance(command, DeadLetterCommand):
            raise PermanentError(f"{command.TYPE} is not about dead letters")
        letter = await self._read(command.letter)
        if letter is None:
            detail = f"{self._service} has parked no message under {command.letter}."
            return Rejected(reason=Reason.NOT_FOUND, detail=detail, field="letter")
        if isinstance(command, RetryDeadLetter) and (refusal := await self._handle(letter)):
            return Rejected(reason=Reason.CONFLICT, detail=refusal, field="letter")
        return Accepted(position=await self._tell(question, command))

    async def _handle(self, letter: Letter) -> str:
        """Handle it; give why that fails, for people, or nothing."""
        if letter.stream != COMMANDS:
            return LATE
        try:
            await self._retry(letter)
        except BrokenStoreError:
            raise
        except Exception as exc:  # whatever it is, the letter stays, and the operator is told
            log.exception("still cannot be handled", extra={"subject": letter.subject})
            return f"It still cannot be handled: {type(exc).__name__}: {exc}"
        return ""

    async def _tell(self, question: Question, command: DeadLetterCommand) -> Position:
        kind: type[DeadLetterEvent] = DeadLetterSkipped if isinstance(command, SkipDeadLetter) else DeadLetterRetried
        event = kind(letter=command.letter, service=self._service, reason=command.reason)
        envelope = Envelope(
            id=RandomIds().new(),
            type=event.TYPE,
            version=event.VERSION,
            source=f"/actium/{self._service}",
            time=self._clock.now(),
            correlation_id=correlation_id.get(),
            causation_id=question.envelope.id,
            actor=question.envelope.actor,
            traceparent=traceparent(),
        )
        headers = envelope.to_headers() | {"Nats-Msg-Id": envelope.id}
        log.warning(event.TYPE, extra={"letter": command.letter, "reason": command.reason})
        return await self._store(CODEC.encode(event), headers)

    async def _store(self, body: bytes, headers: dict[str, str]) -> Position:
        answer = await self._bus.store(f"dead.{self._service}", body, headers=headers, timeout_s=BUS_TIMEOUT_S)
        return Position(DEAD_LETTERS, int(answer["seq"]))

    async def _read(self, sequence: int) -> Letter | None:
        wanted = json.dumps({"seq": sequence}).encode()
        found = await self._bus.request(f"$JS.API.DIRECT.GET.{DEAD_LETTERS}", wanted, timeout_s=BUS_TIMEOUT_S)
        headers = found.headers or {}
        if headers.get("Nats-Subject") != f"dead.{self._service}" or is_decision(headers):
            return None
        try:
            return msgspec.msgpack.decode(found.data, type=Letter)
        except msgspec.DecodeError:
            return Letter(reason="the letter itself cannot be read")


def is_decision(headers: Mapping[str, str]) -> bool:
    """Tell whether a message of the stream is what an operator decided, and not a letter: those have no type."""
    return "ce-type" in headers
