"""`GET /dead-letters`: what services could not digest, newest first, with the reason; never the content."""

from contextlib import aclosing
from datetime import datetime

import msgspec

from actium_shared.bus import Bus, Delivery
from actium_shared.streams import DEAD_LETTERS

LIMIT = 1_000


class Letter(msgspec.Struct, kw_only=True):
    """As the frame of a service parks it."""

    stream: str = ""
    sequence: int = 0
    subject: str = ""
    reason: str = ""
    time: datetime | None = None
    headers: dict[str, str] = {}
    body: bytes = b""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`position` is where the message stands or stood; `id` is the letter's own number."""

    id: int
    service: str
    position: str
    subject: str
    type: str | None
    reason: str
    parked_at: datetime
    size_bytes: int


async def dead_letters(bus: Bus, *, limit: int = LIMIT) -> list[DeadLetter]:
    """Give the newest letters, at most `limit`."""
    end = await bus.last_sequence(DEAD_LETTERS)
    after = max(0, end - limit)
    if end == after:
        return []
    async with aclosing(bus.feed(DEAD_LETTERS, after=after, until_end=True)) as feed:
        letters = [_letter(delivery) async for delivery in feed]
    return letters[::-1]


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
