"""`/dead-letters`: what services could not digest, with the reason, never the content; and what operators decide on it."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime

import msgspec
from starlette.requests import Request

from actium_api.faults import STATUS_OF
from actium_api.operator.errors import OperatorError
from actium_api.operator.operators import good_reason, operator_of, posted
from actium_shared.bus import Bus, Delivery
from actium_shared.codec import CODEC
from actium_shared.commands.dead_letters import DeadLetterCommand, RetryDeadLetter, SkipDeadLetter
from actium_shared.dead_letters import Letter, is_decision
from actium_shared.envelope import Envelope
from actium_shared.errors import UnreadableError
from actium_shared.events.dead_letter import DeadLetterEvent, DeadLetterSkipped
from actium_shared.message import Rejected
from actium_shared.streams import DEAD_LETTERS, DEAD_LETTERS_PARTITION, SERVICES, ask_subject

LIMIT = 1_000
ANSWER_S = 15.0

COMMANDS: Mapping[str, type[DeadLetterCommand]] = {"retry": RetryDeadLetter, "skip": SkipDeadLetter}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a letter: `word` is retried or skipped, `by` is the operator."""

    word: str
    by: str
    reason: str
    at: datetime


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`position` is where the message stands or stood; `id` is the letter's own number. `decision`: None, it waits."""

    id: int
    service: str
    position: str
    subject: str
    type: str | None
    reason: str
    parked_at: datetime
    size_bytes: int
    decision: Decision | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is decided so, for those who read the log."""

    reason: str


async def dead_letters(bus: Bus, *, limit: int = LIMIT) -> list[DeadLetter]:
    """Give the newest letters; decisions count towards `limit`."""
    end = await bus.last_sequence(DEAD_LETTERS)
    after = max(0, end - limit)
    if end == after:
        return []
    letters: dict[int, DeadLetter] = {}
    async with aclosing(bus.feed(DEAD_LETTERS, after=after, until_end=True)) as feed:
        async for delivery in feed:
            if not is_decision(delivery.headers):
                letters[delivery.sequence] = _letter(delivery)
            elif (found := _decision(delivery)) is not None and found[0] in letters:
                letters[found[0]] = msgspec.structs.replace(letters[found[0]], decision=found[1])
    return list(letters.values())[::-1]


async def decide(request: Request, bus: Bus) -> None:
    """
    Have the service that parked a message handle it again, or call it settled.

    Raises:
        OperatorError: there is no such letter, or it still cannot be handled.
        RetryableError: the service does not answer.
    """
    letter = _numbered(request)
    reason = good_reason((await posted(request, Word)).reason)
    service = await _parked_by(bus, letter)
    command = COMMANDS[request.path_params["word"]](letter=letter, service=service, reason=reason)
    subject = ask_subject(service, DEAD_LETTERS_PARTITION)
    reply = await bus.ask(command, actor=operator_of(request).actor, timeout_s=ANSWER_S, subject=subject)
    if isinstance(reply, Rejected):
        raise OperatorError(STATUS_OF[reply.reason], reply.detail, field=reply.field)


def _numbered(request: Request) -> int:
    text, word = request.path_params["letter"], request.path_params["word"]
    if word not in COMMANDS:
        raise OperatorError(404, f"a letter can be retried or skipped: {' or '.join(COMMANDS)}, not {word}")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise OperatorError(400, f"{text} is no letter's number", field="letter")
    return int(text)


async def _parked_by(bus: Bus, letter: int) -> str:
    if 0 < letter <= await bus.last_sequence(DEAD_LETTERS):
        async with aclosing(bus.feed(DEAD_LETTERS, after=letter - 1, until_end=True)) as feed:
            async for delivery in feed:
                service = delivery.subject.rpartition(".")[2]
                if delivery.sequence == letter and not is_decision(delivery.headers) and service in SERVICES:
                    return service
                break
    raise OperatorError(404, f"there is no dead letter {letter}", field="letter")


def _decision(delivery: Delivery) -> tuple[int, Decision] | None:
    """Give which letter was decided on, and how; None for a decision that a newer version made otherwise."""
    envelope = Envelope.from_headers(delivery.headers)
    try:
        event = CODEC.decode(envelope.type, envelope.version, delivery.body)
    except UnreadableError:
        return None
    if not isinstance(event, DeadLetterEvent):
        return None
    word = "skipped" if isinstance(event, DeadLetterSkipped) else "retried"
    by = envelope.actor.user_id if envelope.actor else ""
    return event.letter, Decision(word=word, by=by, reason=event.reason, at=envelope.time)


def _letter(delivery: Delivery) -> DeadLetter:
    try:
        letter = msgspec.msgpack.decode(delivery.body, type=Letter)
    except msgspec.DecodeError as exc:
        letter = Letter(reason=f"the letter itself cannot be read: {exc}")
    return DeadLetter(
        id=delivery.sequence,
        service=delivery.subject.rpartition(".")[2],
        position=f"{letter.stream}:{letter.sequence}",
        subject=letter.subject,
        type=letter.headers.get("ce-type"),
        reason=letter.reason,
        parked_at=letter.time or delivery.time,
        size_bytes=len(letter.body),
    )
