"""
A client that notices every outage: a new connection and a request each few milliseconds, whether the last one was answered or not.

Open loop, so that a server that hangs cannot slow its own measurement down. IO on one thread; what was seen is a value.
"""

import errno
import itertools
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

EVERY_S = 0.005
PATIENCE_S = 0.05
"""A request that has no answer by then has failed, as one of a client in a hurry would."""

_REQUEST = b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
_GOOD = b"HTTP/1.1 200"
_RESET = struct.pack("ii", 1, 0)
"""Closed by a reset: thousands of connections leave no port in TIME_WAIT."""


@dataclass(slots=True)
class Seen:
    """What happened: `answered_at` in seconds of `time.monotonic`, in the order in which the answers came."""

    answered_at: list[float] = field(default_factory=list)
    asked: int = 0
    failed: int = 0

    def gap_ms(self, *, since: float = 0.0) -> float:
        """Give the longest time between two successive answers, of those that came after `since`; 0 for fewer than two."""
        after = [at for at in self.answered_at if at >= since]
        return max((1000 * (b - a) for a, b in itertools.pairwise(after)), default=0.0)


@dataclass(slots=True)
class _Request:
    connection: socket.socket
    give_up_at: float
    sent: bool = False
    got: bytes = b""
    good: bool = False


class Prober:
    """Asks one address until told to stop."""

    def __init__(self, address: str, port: int, *, every_s: float = EVERY_S, patience_s: float = PATIENCE_S) -> None:
        self.seen = Seen()
        self._target = (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._every_s, self._patience_s = every_s, patience_s
        self._selector = selectors.DefaultSelector()
        self._open: dict[socket.socket, _Request] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        next_at = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= next_at:
                self._ask(now)
                next_at = max(next_at + self._every_s, now)
            for key, _ in self._selector.select(max(0.0, next_at - time.monotonic())):
                self._step(self._open[key.data])
            self._give_up(time.monotonic())
        for request in list(self._open.values()):
            self._close(request)
        self._selector.close()

    def stop(self) -> None:
        self._stopping.set()

    def _ask(self, now: float) -> None:
        self.seen.asked += 1
        connection = socket.socket(self._family, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        request = self._open[connection] = _Request(connection, now + self._patience_s)
        self._selector.register(connection, selectors.EVENT_WRITE, connection)
        if connection.connect_ex(self._target) not in (0, errno.EINPROGRESS):
            self._fail(request)

    def _step(self, request: _Request) -> None:
        try:
            if not request.sent:
                request.connection.sendall(_REQUEST)
                request.sent = True
                self._selector.modify(request.connection, selectors.EVENT_READ, request.connection)
                return
            received = request.connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            self._fail(request)
            return
        self._take(request, received)

    def _take(self, request: _Request, received: bytes) -> None:
        """Count the answer when it begins; hear it out, so that the server notices nothing of our haste."""
        if not request.good and received:
            request.got += received
            request.good = request.got.startswith(_GOOD)
            if request.good:
                self.seen.answered_at.append(time.monotonic())
            elif len(request.got) >= len(_GOOD):
                self._fail(request)
        elif not received:
            self._close(request) if request.good else self._fail(request)

    def _give_up(self, now: float) -> None:
        late = [request for request in self._open.values() if request.give_up_at <= now]
        for request in late:
            self._fail(request)

    def _fail(self, request: _Request) -> None:
        self.seen.failed += not request.good
        self._close(request)

    def _close(self, request: _Request) -> None:
        self._selector.unregister(request.connection)
        del self._open[request.connection]
        request.connection.close()


@contextmanager
def probing(address: str, port: int = 80, *, every_s: float = EVERY_S) -> Iterator[Seen]:
    """Probe until the block ends; what was seen grows meanwhile."""
    prober = Prober(address, port, every_s=every_s)
    thread = threading.Thread(target=prober.run, name=f"probing {address}")
    thread.start()
    try:
        yield prober.seen
    finally:
        prober.stop()
        thread.join(10)
