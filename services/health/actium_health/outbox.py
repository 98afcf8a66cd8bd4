"""What waits to be put on the bus: in order, bounded, the newest kept. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_BYTES = 16 * 1024 * 1024
BATCH_MOST_BYTES = 512 * 1024


class Waiting(NamedTuple):
    """One datagram; `arrived_at` is monotonic seconds."""

    datagram: bytes
    urgent: bool
    arrived_at: float


@dataclass(slots=True)
class Outbox:
    """First in, first out. Order matters: a beat that an edge overtook would be refused as old."""

    most_bytes: int = MOST_BYTES
    dropped: int = 0
    _waiting: deque[Waiting] = field(default_factory=deque)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, datagram: bytes, *, urgent: bool, now: float) -> None:
        """Add at the end; the oldest go when there is no room."""
        self._waiting.append(Waiting(datagram, urgent, now))
        self._bytes += len(datagram)
        while self._bytes > self.most_bytes:
            self._drop_first()

    def drop_older(self, than: float) -> None:
        """Drop what arrived before: nobody would believe it any more."""
        while self._waiting and self._waiting[0].arrived_at < than:
            self._drop_first()

    def take(self) -> list[Waiting]:
        """Take the next datagrams that can travel together: of one kind, and not too many."""
        batch: list[Waiting] = []
        room = BATCH_MOST_BYTES
        while self._waiting:
            first = self._waiting[0]
            room -= len(first.datagram)
            if batch and (room < 0 or first.urgent != batch[0].urgent):
                break
            batch.append(self._waiting.popleft())
        self._bytes -= sum(len(waiting.datagram) for waiting in batch)
        return batch

    def put_back(self, batch: list[Waiting]) -> None:
        """Undo `take`."""
        self._waiting.extendleft(reversed(batch))
        self._bytes += sum(len(waiting.datagram) for waiting in batch)
        while self._bytes > self.most_bytes:
            self._drop_first()

    def _drop_first(self) -> None:
        self._bytes -= len(self._waiting.popleft().datagram)
        self.dropped += 1
