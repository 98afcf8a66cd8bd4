"""
`python -m actium_health.relay`: datagrams of amphorae from UDP onto the bus.

Drops what is oversized, malformed or wrongly signed; knows nothing else. Little work per datagram, nothing when idle.
"""

import asyncio
import logging
import socket

import msgspec

from actium_health import udp
from actium_health.keys import KeyRing
from actium_health.listening import LOSSY_HEADER
from actium_health.outbox import Outbox
from actium_health.refusals import Refusals
from actium_health.settings import RelaySettings
from actium_shared.bus import Bus
from actium_shared.clock import Clock, SystemClock
from actium_shared.crypto import read_master_key
from actium_shared.errors import RetryableError
from actium_shared.heartbeat import DATAGRAM_LIMIT_BYTES, BadSignature, HeartbeatError
from actium_shared.service import Service, connect, start
from actium_shared.streams import token

log = logging.getLogger(__name__)

COALESCE_S = 0.05
WAIT_MOST_S = 20.0
"""What has waited longer for the bus is dropped: health would find it stale."""

RETRY_S = 0.1
LOOK_EVERY_S = 1.0
DRAIN_MOST = 256
"""Datagrams per turn, so that forwarding gets its turns under a flood, too."""

REASONS = ("accepted", "forwarded", "oversized", "malformed", "bad_signature", "dropped", "kernel_dropped")


class Relay:
    """Two loops: `receive` owns the socket, `forward` the way to the bus; the outbox is between them."""

    def __init__(self, bus: Bus, keys: KeyRing, settings: RelaySettings, *, clock: Clock) -> None:
        self._bus, self._keys, self._clock = bus, keys, clock
        self._address, self._namespace = settings.bind_address(), settings.relay_namespace
        self._name, self._sign_every_s = settings.relay_name, settings.sign_every_s
        self._told_lost = 0
        self.outbox = Outbox()
        self._refusals = Refusals(log, clock, reasons=REASONS)
        self._something, self._urgent, self._reconnected = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._socket: socket.socket | None = None
        self._buffer = bytearray(DATAGRAM_LIMIT_BYTES + 1)
        bus.on_reconnect(self._reconnected.set)

    def facts(self) -> dict[str, object]:
        counts = self._refusals.counts
        counts["dropped"] = self.outbox.dropped
        if self._socket is not None:
            counts["kernel_dropped"] = udp.kernel_drops(self._socket)
        return {"datagrams": dict(counts), "listening": self._socket is not None, "waiting": len(self.outbox)}

    async def receive(self) -> None:
        """Have a socket, for ever; another one when its namespace was made anew."""
        while True:
            self._socket = await self._open()
            born = udp.identity(self._namespace)
            asyncio.get_running_loop().add_reader(self._socket, self._drain, self._socket)
            try:
                while udp.identity(self._namespace) == born:
                    await self._clock.sleep(LOOK_EVERY_S)
            finally:
                asyncio.get_running_loop().remove_reader(self._socket)
                self._socket.close()
                self._socket = None
            log.warning("namespace gone", extra={"namespace": self._namespace})

    async def forward(self) -> None:
        """Put on the bus what arrives: edges at once, beats gathered for a moment; that we listen where nothing does."""
        while True:
            try:
                async with asyncio.timeout(self._sign_every_s):
                    await self._something.wait()
            except TimeoutError:
                await self._sign()
                continue
            try:
                async with asyncio.timeout(COALESCE_S):
                    await self._urgent.wait()
            except TimeoutError:
                pass  # nothing but beats
            self._something.clear()
            self._urgent.clear()
            if not await self._flush():
                await self._clock.sleep(RETRY_S)
                self._something.set()

    async def keep_stream(self) -> None:
        """Make the stream of signals anew when the server has lost its memory."""
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            try:
                await self._bus.ensure_streams()
            except RetryableError as exc:
                log.warning("streams not there yet", extra={"error": str(exc)})
                self._reconnected.set()

    async def _open(self) -> socket.socket:
        while True:
            try:
                opened = udp.open_socket(self._address, namespace=self._namespace)
            except RetryableError as exc:
                log.info("not listening yet", extra={"error": str(exc)})
                await self._clock.sleep(RETRY_S)
            else:
                log.info("listening", extra={"address": f"{self._address[0]}:{self._address[1]}"})
                return opened

    def _drain(self, opened: socket.socket) -> None:
        view = memoryview(self._buffer)
        for _ in range(DRAIN_MOST):
            try:
                size, source = opened.recvfrom_into(view)
            except BlockingIOError:
                return
            except OSError as exc:  # an earlier send's ICMP, a link that went: the next datagram may well come
                log.warning("receive", extra={"error": str(exc)})
                return
            self.take(bytes(view[:size]), source)

    def take(self, datagram: bytes, source: tuple[object, ...]) -> None:
        if len(datagram) > DATAGRAM_LIMIT_BYTES:
            self._refusals.refuse("oversized", source=source)
            return
        try:
            heartbeat = self._keys.open(datagram)
        except HeartbeatError as exc:
            reason = "bad_signature" if isinstance(exc, BadSignature) else "malformed"
            self._refusals.refuse(reason, source=source, error=str(exc))
            return
        self._refusals.counts["accepted"] += 1
        self.outbox.add(datagram, urgent=heartbeat.kind != "beat", now=self._clock.monotonic())
        self._something.set()
        if heartbeat.kind != "beat":
            self._urgent.set()

    async def _flush(self) -> bool:
        self.outbox.drop_older(self._clock.monotonic() - WAIT_MOST_S)
        while batch := self.outbox.take():
            if not await self._publish("edges" if batch[0].urgent else "beats", [each.datagram for each in batch]):
                self.outbox.put_back(batch)
                return False
            self._refusals.counts["forwarded"] += len(batch)
        return True

    async def _sign(self) -> None:
        """Say that nobody said anything; without a socket we could not know."""
        if self._socket is not None and not self.outbox:
            await self._publish("beats", [])

    async def _publish(self, kind: str, datagrams: list[bytes]) -> bool:
        lost = self._lost()
        headers = {LOSSY_HEADER: str(lost)} if lost > self._told_lost else None
        try:
            subject = f"sig.{kind}.{token(self._name)}"
            await self._bus.publish(subject, msgspec.msgpack.encode(datagrams), headers=headers)
        except RetryableError as exc:
            log.info("bus takes nothing now", extra={"error": str(exc)})
            return False
        self._told_lost = lost
        return True

    def _lost(self) -> int:
        """Give how many datagrams came to this socket and went no further; a new socket counts from nothing."""
        return self.outbox.dropped + (udp.kernel_drops(self._socket) if self._socket is not None else 0)


async def main(settings: RelaySettings) -> None:
    """Run until told to stop."""
    keys = KeyRing(read_master_key(settings.heartbeat_master_key_file))
    async with connect("relay", settings) as bus:
        service = Service("relay", bus)
        relay = Relay(bus, keys, settings, clock=SystemClock())
        service.loop("receive", relay.receive)
        service.loop("forward", relay.forward)
        service.loop("stream", relay.keep_stream)
        service.fact(relay.facts)
        await service.run()


if __name__ == "__main__":
    start("relay", RelaySettings, main)
