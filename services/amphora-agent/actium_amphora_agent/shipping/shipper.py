"""Takes haproxy's lines from a datagram socket and brings them to the object store, one object at a time."""

import asyncio
import contextlib
import logging
import socket
import time
from pathlib import Path
from typing import Any

from actium_amphora_agent.logs import fields
from actium_amphora_agent.shipping.buffer import Buffer, Cut
from actium_amphora_agent.shipping.object_store import DEADLINE_S, NotTaken, put
from actium_amphora_agent.shipping.wanted import Logs, Stream
from actium_amphora_agent.store import Store

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.5
RETRY_MOST_S = 30.0
LAST_TRY_S = 1.0
"""When the agent is told to end; init waits two seconds."""

LINE_MOST_BYTES = 8 * 1024
LINES_AT_ONCE = 200
"""Then everything else of the agent has its turn; what haproxy sends meanwhile waits in the socket, or is dropped."""

QUEUE = "512"
_QUEUE_LENGTH = Path("/proc/sys/net/unix/max_dgram_qlen")
"""Ten, where nobody has said anything else: a burst of a few milliseconds."""

_ONE_LINE = bytes(byte if byte >= 32 and byte != 127 else 32 for byte in range(256))
_KEPT = "logs"


class Shipper:
    """Owns the socket and one task."""

    def __init__(self, path: Path, store: Store, *, buffer: Buffer | None = None) -> None:
        self._path = path
        self._store = store
        self._buffer = buffer or Buffer()
        self._socket: socket.socket | None = None
        self._logs: Logs | None = None
        self._streams: dict[bytes, tuple[Logs, Stream]] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._troubled = False
        self._clock_at_0 = time.time() - time.monotonic()
        self._earlier = self._of_earlier_agent()
        self._saved: dict[str, Any] = {}

    # ---- what is wanted

    def follow(self, logs: Logs | None) -> None:
        if logs is None:
            self._close_socket()
            return
        self._logs = logs
        # Those of load balancers that left stay: the worker that is leaving still tells of them.
        self._streams |= {key.encode(): (logs, stream) for key, stream in logs.streams.items()}
        if self._socket is None:
            self._open_socket()
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        self._close_socket()
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_TRY_S):
                await self._ship_the_rest()
        self._save()

    # ---- what came of it

    def figures(self, dropped: int) -> dict[str, Any]:
        self._save()
        lost = self._saved["lost"] | ({"socket": dropped} if dropped else {})
        return {"shipped": self._saved["shipped"], "lost": lost}

    def _save(self) -> None:
        buffer, earlier = self._buffer, self._earlier
        lost = {reason: count + buffer.lost[reason] for reason, count in earlier["lost"].items()}
        now = {
            "received": earlier["received"] + buffer.received,
            "shipped": earlier["shipped"] + buffer.shipped,
            "lost": dict(buffer.lost) | lost,
        }
        if now != self._saved:
            self._store.write(_KEPT, now)
            self._saved = now

    def _of_earlier_agent(self) -> dict[str, Any]:
        """What another life of the agent counted; what was in its memory is lost."""
        kept = {"received": 0, "shipped": 0, "lost": {}, **self._store.read(_KEPT)}
        gone = kept["received"] - kept["shipped"] - sum(kept["lost"].values())
        if gone > 0:
            kept["lost"]["restart"] = kept["lost"].get("restart", 0) + gone
        return kept

    # ---- in

    def _open_socket(self) -> None:
        with contextlib.suppress(OSError):  # a kernel or a container that does not let us: bursts are dropped earlier
            _QUEUE_LENGTH.write_text(QUEUE)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._read()
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        assert self._socket
        now = time.monotonic()
        receive, streams, add = self._socket.recv, self._streams, self._buffer.add
        was_empty = self._buffer.size_bytes == 0
        with contextlib.suppress(BlockingIOError):
            for _ in range(LINES_AT_ONCE):
                stream, _, line = receive(LINE_MOST_BYTES).partition(b" ")
                if stream in streams:  # all else is haproxy's words about itself
                    add(stream, line.rstrip(b"\n").translate(_ONE_LINE), now)
        if was_empty or self._buffer.due_at(self._cut_after_s) == 0.0:
            self._woken.set()

    # ---- out

    @property
    def _cut_after_s(self) -> float:
        return self._logs.cut_after_s if self._logs else 0.0

    async def _work(self) -> None:
        while True:
            due_at = self._buffer.due_at(self._cut_after_s)
            await self._wait(None if due_at is None else due_at - time.monotonic())
            self._buffer.cut(time.monotonic(), after_s=self._cut_after_s)
            while cut := self._buffer.take():
                try:
                    await self._ship(cut)
                except asyncio.CancelledError:
                    self._buffer.give_back(cut)
                    raise

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds is None else max(0.0, seconds)):
                await self._woken.wait()
        self._woken.clear()

    async def _ship(self, cut: Cut) -> None:
        """Until it is there, or too old to be kept any longer."""
        delay_s = RETRY_FIRST_S
        while (failure := await self._try(cut)) is not None:
            logs, _ = self._streams[cut.stream]
            left_s = cut.cut_at + logs.keep_s - time.monotonic()
            if left_s <= 0:
                self._buffer.lose(cut, failure.reason)
                return
            await asyncio.sleep(min(delay_s, left_s))
            delay_s = min(2 * delay_s, RETRY_MOST_S)
        self._buffer.ship(cut)

    async def _try(self, cut: Cut) -> NotTaken | None:
        logs, stream = self._streams[cut.stream]
        try:
            await put(logs, stream, _name(cut, self._clock_at_0), cut.body, deadline_s=min(DEADLINE_S, logs.keep_s))
        except NotTaken as exc:
            if not self._troubled:
                log.warning("object store takes no logs", extra=fields(reason=exc.reason, words=str(exc)))
            self._troubled = True
            return exc
        if self._troubled:
            log.info("object store takes logs again")
        self._troubled = False
        return None

    async def _ship_the_rest(self) -> None:
        self._buffer.cut(time.monotonic(), after_s=0.0)
        while cut := self._buffer.take():
            if await self._try(cut) is not None:
                self._buffer.give_back(cut)
                return
            self._buffer.ship(cut)


def _name(cut: Cut, clock_at_0: float) -> str:
    """Sorted by time, and the same each time that it is tried."""
    began_at = clock_at_0 + cut.began_at
    at = time.strftime("%Y-%m-%d/%H%M%S", time.gmtime(began_at))
    return f"{at}.{int(began_at % 1 * 1000):03}-{cut.number}.log.gz"
