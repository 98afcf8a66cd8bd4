"""
One process of a service at a time, for services that two of would undo each other's work (`streams.ALONE`).

Who holds the lease is written on the bus, and answers there by its name. It never lapses by a clock: whoever is killed is
off the bus at once, and whoever is paused keeps it until the bus gives up on its connection.
"""

import asyncio
import logging
import os
import socket
from datetime import datetime
from typing import NoReturn

import msgspec

from actium_shared import streams
from actium_shared.bus import ApiError, Bus
from actium_shared.clock import Clock
from actium_shared.errors import PermanentError, RetryableError, SettingsError
from actium_shared.event_store import WRONG_LAST_SEQUENCE
from actium_shared.ids import RandomIds

log = logging.getLogger(__name__)

TAKE_WITHIN_S = 15.0
"""As long as the process before us may take to end."""

ANSWER_S = 1.0
LOOK_AGAIN_S = 0.2
BUS_TIMEOUT_S = 5.0


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds it; all but `name` is for people."""

    name: str
    host: str
    pid: int
    since: datetime


class Lease:
    """`take` it before anything is done, `keep` it as long as anything is done."""

    def __init__(self, bus: Bus, service: str, clock: Clock) -> None:
        self._bus, self._service, self._clock = bus, service, clock
        self._own = Holder(name=RandomIds().new(), host=socket.gethostname(), pid=os.getpid(), since=clock.now())
        self._subject = f"snap.{service}.holder"
        self._reconnected = asyncio.Event()
        bus.on_reconnect(self._reconnected.set)

    async def take(self, *, within_s: float = TAKE_WITHIN_S) -> None:
        """
        Hold it from now on.

        Raises:
            SettingsError: another process holds it, and does not end in time.
            RetryableError: the bus does not say who holds it.
        """
        await self._bus.answer_to(self._service, self._own.name)
        deadline = self._clock.monotonic() + within_s
        while (other := await self._try()) is not None:
            if self._clock.monotonic() >= deadline:
                raise SettingsError(
                    f"{self._service} runs already: on {other.host} as process {other.pid} since"
                    f" {other.since.isoformat()}. Only one works at a time; end that one first"
                )
            log.warning("another process holds the lease", extra={"host": other.host, "pid": other.pid})
            await self._clock.sleep(LOOK_AGAIN_S)

    async def keep(self) -> NoReturn:
        """
        Whenever we were off the bus, see that nobody took it meanwhile; a bus that was killed may have forgotten us.

        Raises:
            PermanentError: somebody did: this process must end.
        """
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            try:
                other = await self._try()
            except RetryableError as exc:
                log.warning("holder not known yet", extra={"error": str(exc)})
                await self._clock.sleep(LOOK_AGAIN_S)
                self._reconnected.set()
                continue
            if other is not None:
                raise PermanentError(f"process {other.pid} on {other.host} does the work of {self._service} by now")

    async def _try(self) -> Holder | None:
        """Take it unless somebody has it who is there; give that one."""
        holder, sequence = await self._read()
        if holder is not None and await self._bus.is_there(self._service, holder.name, timeout_s=ANSWER_S):
            return None if holder.name == self._own.name else holder
        headers = {"Nats-Expected-Last-Subject-Sequence": str(sequence)}
        try:
            await self._bus.store(
                self._subject, msgspec.msgpack.encode(self._own), headers=headers, timeout_s=BUS_TIMEOUT_S
            )
        except ApiError as exc:
            if exc.code not in WRONG_LAST_SEQUENCE:
                raise
            return await self._try()  # somebody was faster, or we were, and were not told
        return None

    async def _read(self) -> tuple[Holder | None, int]:
        subject = f"$JS.API.DIRECT.GET.{streams.SNAPSHOTS}.{self._subject}"
        answer = await self._bus.request(subject, b"", timeout_s=BUS_TIMEOUT_S)
        headers = answer.headers or {}
        if "Nats-Sequence" not in headers:
            return None, 0
        return msgspec.msgpack.decode(answer.data, type=Holder), int(headers["Nats-Sequence"])
