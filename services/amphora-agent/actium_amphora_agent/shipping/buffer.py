"""Lines on their way into objects: gathered, compressed, cut, and thrown away, oldest first, where they are too many. Pure."""

import zlib
from collections import Counter, deque
from dataclasses import dataclass, field

CHUNK_BYTES = 32 * 1024
"""So much of one load balancer's lines is kept as it came; compressing it takes half a millisecond."""

OBJECT_MOST_BYTES = 512 * 1024
BUFFER_MOST_BYTES = 2 * 1024 * 1024
"""All that waits, mostly compressed: 100,000 lines or so. An amphora has 30 MB, and its traffic needs most of them."""

_FAST = 1
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class Growing:
    """An object to be: gzip members, one after the other, and the lines that are none yet."""

    began_at: float
    packed: bytearray = field(default_factory=bytearray)
    raw: bytearray = field(default_factory=bytearray)
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """An object; `number` tells it from all others of this buffer."""

    stream: bytes
    number: int
    began_at: float
    cut_at: float
    lines: int
    body: bytes


class Buffer:
    """`received` is what came in, `shipped` and `lost` what became of it; the rest is still here."""

    def __init__(self, *, most_bytes: int = BUFFER_MOST_BYTES, object_most_bytes: int = OBJECT_MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._object_most_bytes = object_most_bytes
        self._growing: dict[bytes, Growing] = {}
        self._waiting: deque[Cut] = deque()
        self._taken_bytes = 0
        self._size_bytes = 0
        self._number = 0
        self.received = 0
        self.shipped = 0
        self.lost: Counter[str] = Counter()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes + self._taken_bytes

    def add(self, stream: bytes, line: bytes, now: float) -> None:
        growing = self._growing.get(stream)
        if growing is None:
            growing = self._growing[stream] = Growing(now)
        growing.raw += line
        growing.raw += b"\n"
        growing.lines += 1
        self.received += 1
        self._size_bytes += len(line) + 1
        if len(growing.raw) >= CHUNK_BYTES:
            self._pack(growing)
            if len(growing.packed) >= self._object_most_bytes:
                self._cut(stream, now)
        if self.size_bytes > self._most_bytes:
            self._make_room(now)

    def due_at(self, after_s: float) -> float | None:
        """When the next object is to be cut; at once where one is waiting, None where there is nothing."""
        if self._waiting:
            return 0.0
        return min((growing.began_at + after_s for growing in self._growing.values()), default=None)

    def cut(self, now: float, *, after_s: float) -> None:
        """Cut what was begun so long ago."""
        for stream in [key for key, growing in self._growing.items() if now - growing.began_at >= after_s]:
            self._cut(stream, now)

    def take(self) -> Cut | None:
        """Give the oldest object; exactly one of `ship`, `lose` and `give_back` follows."""
        if not self._waiting:
            return None
        cut = self._waiting.popleft()
        self._size_bytes -= len(cut.body)
        self._taken_bytes = len(cut.body)
        return cut

    def give_back(self, cut: Cut) -> None:
        """Instead of the two: somebody else will try."""
        self._taken_bytes = 0
        self._size_bytes += len(cut.body)
        self._waiting.appendleft(cut)

    def ship(self, cut: Cut) -> None:
        self._taken_bytes = 0
        self.shipped += cut.lines

    def lose(self, cut: Cut, reason: str) -> None:
        self._taken_bytes = 0
        self.lost[reason] += cut.lines

    def _pack(self, growing: Growing) -> None:
        if not growing.raw:
            return
        # A member of its own each time: a compressor that lives on would keep a quarter of a megabyte.
        compressor = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
        member = compressor.compress(bytes(growing.raw)) + compressor.flush()
        self._size_bytes += len(member) - len(growing.raw)
        growing.packed += member
        growing.raw.clear()

    def _cut(self, stream: bytes, now: float) -> None:
        growing = self._growing.pop(stream)
        self._pack(growing)
        self._number += 1
        self._waiting.append(Cut(stream, self._number, growing.began_at, now, growing.lines, bytes(growing.packed)))

    def _make_room(self, now: float) -> None:
        if not self._waiting:
            self.cut(now, after_s=0.0)
        while self.size_bytes > self._most_bytes and self._waiting:
            oldest = self._waiting.popleft()
            self._size_bytes -= len(oldest.body)
            self.lost["overflow"] += oldest.lines
