"""
Logs that worlds of earlier releases wrote, as files: one entry per message, of all streams in the order in which they were stored.

`python -m replay.kept_logs WORLD FILE` (with PYTHONPATH=tests) keeps the log of a world that is down; such a file is never changed.
"""

import asyncio
import gzip
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from actium_shared import streams
from actium_shared.bus import Delivery
from actium_shared.codec import CODEC
from actium_shared.envelope import Envelope
from actium_shared.event_store import Recorded
from actium_shared.message import Position
from actium_shared.testing.nats_server import NatsServer

FOLDER = Path(__file__).parent / "logs"
READER = "api"
"""The service that may read every stream of events."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A message as the server gave it: nothing in it has been read by us."""

    stream: str
    sequence: int
    subject: str
    stored_at: datetime
    headers: dict[str, str]
    body: bytes


def entries(file: Path) -> list[Entry]:
    return msgspec.msgpack.decode(gzip.decompress(file.read_bytes()), type=list[Entry])


def commits(file: Path) -> Iterator[Recorded]:
    """Give what this release reads there."""
    for entry in entries(file):
        yield Recorded(
            commit=CODEC.decode_commit(entry.body),
            envelope=Envelope.from_headers(entry.headers),
            subject=entry.subject,
            position=Position(entry.stream, entry.sequence),
            stored_at=entry.stored_at,
        )


async def log_of(world: Path) -> list[Entry]:
    """Read the log of a world that is down, in a copy of its store."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(world / "data" / "nats", Path(folder) / "store")
        server = NatsServer(Path(folder))
        server.start()
        try:
            async with server.bus(READER) as bus:
                found = [
                    _entry(delivery)
                    for owner in streams.EVENT_OWNERS
                    async for delivery in bus.feed(streams.events_of(owner), after=0, until_end=True)
                ]
        finally:
            server.stop()
    return sorted(found, key=lambda entry: entry.stored_at)


def _entry(delivery: Delivery) -> Entry:
    return Entry(
        stream=delivery.stream,
        sequence=delivery.sequence,
        subject=delivery.subject,
        stored_at=delivery.time,
        headers=dict(delivery.headers),
        body=delivery.body,
    )


def main(world: Path, file: Path) -> None:
    found = asyncio.run(log_of(world))
    with file.open("xb") as output:
        output.write(gzip.compress(msgspec.msgpack.encode(found), mtime=0))
    print(f"{len(found)} messages")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
