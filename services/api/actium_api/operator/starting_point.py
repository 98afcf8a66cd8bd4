"""Where a reader of the log begins: `from` as people write it, to the last sequence of each stream that is left out."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from actium_api.operator.errors import BadQueryError
from actium_shared.bus import Bus
from actium_shared.streams import EVENT_OWNERS, events_of

FIELD = "from"
STREAMS = tuple(events_of(owner) for owner in EVENT_OWNERS)
WANTED = "start, now, a time like 2026-01-31T12:00:00Z, or positions like EVENTS_PLANNER:123,EVENTS_NETWORK:7"

After = Mapping[str, int]
"""Stream -> the last sequence that is not wanted."""


async def ends(bus: Bus) -> After:
    """Give the newest sequence of each stream."""
    newest = await asyncio.gather(*(bus.last_sequence(stream) for stream in STREAMS))
    return dict(zip(STREAMS, newest, strict=True))


async def starting_point(bus: Bus, wanted: str, *, until: After) -> After:
    """
    Understand `from`, where the streams end at `until`.

    A position is the first that is wanted; streams that are not named begin at the time of the earliest named.

    Raises:
        BadQueryError: it is none of what can be given.
    """
    if wanted == "start":
        return dict.fromkeys(STREAMS, 0)
    if wanted == "now":
        return until
    if ":" in wanted and wanted.startswith("EVENTS_"):
        return await _from_positions(bus, parse_positions(wanted), until=until)
    return await _from_time(bus, parse_time(wanted))


def parse_time(text: str) -> datetime:
    """Give the time; one without a zone is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadQueryError(FIELD, f"{text!r} is none of: {WANTED}") from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def parse_positions(text: str) -> dict[str, int]:
    """Give stream -> sequence of a comma-separated list."""
    positions: dict[str, int] = {}
    for part in text.split(","):
        stream, _, number = part.strip().partition(":")
        if stream not in STREAMS:
            raise BadQueryError(FIELD, f"{stream!r} is no stream of events; there are {', '.join(STREAMS)}")
        if not number.isascii() or not number.isdecimal() or int(number) < 1:
            raise BadQueryError(FIELD, f"{part.strip()!r} has no sequence; a position is like {stream}:123, from 1 on")
        positions[stream] = int(number)
    return positions


async def _from_positions(bus: Bus, positions: Mapping[str, int], *, until: After) -> After:
    for stream, sequence in positions.items():
        if sequence > until[stream] + 1:
            raise BadQueryError(FIELD, f"{stream}:{sequence} is not written yet; {stream} ends at {until[stream]}")
    named = {stream: sequence - 1 for stream, sequence in positions.items()}
    if len(named) == len(STREAMS):
        return named
    times = await asyncio.gather(*(bus.stored_at(stream, sequence) for stream, sequence in positions.items()))
    known = [at for at in times if at is not None]
    others = await _from_time(bus, min(known)) if known else until
    return {**others, **named}


async def _from_time(bus: Bus, at: datetime) -> After:
    firsts = await asyncio.gather(*(bus.first_since(stream, at) for stream in STREAMS))
    return {stream: first - 1 for stream, first in zip(STREAMS, firsts, strict=True)}


def written_start(after: After) -> str:
    """Give a starting point as text that `from` understands."""
    return ",".join(f"{stream}:{sequence + 1}" for stream, sequence in after.items())
