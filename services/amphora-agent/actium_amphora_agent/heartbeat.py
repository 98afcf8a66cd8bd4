"""Beats each interval, edges at once, a farewell at the end: what they say and when they leave. The wire format is shared."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from actium_amphora_agent import edges
from actium_amphora_agent.configuration import Configuration
from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.logs import fields
from actium_amphora_agent.sampling import Sampler, resident_bytes
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Identity
from actium_shared.heartbeat import Heartbeat, Kind, pack, split

log = logging.getLogger(__name__)

COALESCE_S = 0.005
"""Edges of one cause come together: one datagram for a switch that took twenty members along."""

_EDGES_A_DATAGRAM = 50
"""Each may take 0.8 kB, mostly what a member had to say: they must fit whatever that was."""

_DRIFT_CHARACTERS = 1_000


class Sender:
    """Signs and sends to every relay; a relay that is away is told of once, not each second."""

    def __init__(self, settings: Settings, identity: Identity, credentials: Credentials) -> None:
        self._settings = settings
        self._credentials = credentials
        self._identity = identity
        self._sockets = {relay: _socket_for(relay[0]) for relay in settings.relays}
        self._unreachable: set[tuple[str, int]] = set()

    def send(self, kind: Kind, body: Mapping[str, Any]) -> None:
        heartbeat = Heartbeat(
            amphora_id=self._settings.amphora_id,
            key_version=self._credentials.heartbeat_key_version,
            boot_id=self._identity.boot_id,
            counter=self._identity.next_counter(),
            at=time.time(),
            kind=kind,
            body=body,
        )
        datagram = pack(heartbeat, self._credentials.heartbeat_key)
        for relay, sender in self._sockets.items():
            self._send_to(relay, sender, datagram)

    def close(self) -> None:
        for sender in self._sockets.values():
            sender.close()

    def _send_to(self, relay: tuple[str, int], sender: socket.socket, datagram: bytes) -> None:
        try:
            sender.sendto(datagram, relay)
        except OSError as exc:
            if relay not in self._unreachable:
                log.warning("relay unreachable", extra=fields(relay=relay, reason=str(exc)))
                self._unreachable.add(relay)
        else:
            self._unreachable.discard(relay)


def _socket_for(address: str) -> socket.socket:
    sender = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sender.setblocking(False)
    return sender


class Beats:
    """One task that sends a beat each interval, or sooner when there is news."""

    def __init__(
        self, settings: Settings, sender: Sender, sampler: Sampler, configuration: Configuration, *, news: asyncio.Event
    ) -> None:
        self._interval_s = settings.heartbeat_interval_s
        self._sender = sender
        self._sampler = sampler
        self._configuration = configuration
        self._news = news

    async def run(self) -> None:
        while True:
            for body in split(await self._body()):
                self._sender.send("beat", body)
            self._configuration.serving.haproxy.bound_output()
            self._configuration.serving.keepalived.bound_output()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._news.wait()
                    self._sampler.expect_changes()
            self._news.clear()

    async def _body(self) -> dict[str, Any]:
        serving, in_force = self._configuration.serving, self._configuration.in_force
        sample = await self._sampler.sample()
        pids = [pid for pid in (os.getpid(), serving.haproxy.pid, self._sampler.worker) if pid]
        return {
            "bundle": in_force.number,
            "epoch": in_force.epoch,
            "digest": in_force.digest,
            "role": serving.word,
            "haproxy": serving.haproxy_state,
            "drift": in_force.drift and in_force.drift[:_DRIFT_CHARACTERS],
            "listeners": sample.listeners,
            "pools": sample.pools,
            "logs": self._configuration.shipping.figures(self._sampler.dropped_logs),
            "load": round(os.getloadavg()[0], 2),
            "memory_bytes": resident_bytes(*pids),
        }


class Edges:
    """Listens where haproxy logs, and passes changes on within a few milliseconds; `on_member` is called for a member's."""

    def __init__(self, path: Path, sender: Sender, sampler: Sampler, *, on_member: Callable[[], None]) -> None:
        self._path = path
        self._sender = sender
        self._sampler = sampler
        self._on_member = on_member
        self._waiting: list[dict[str, str]] = []
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Called once: haproxy looks the path up for every line, so a new socket under the old name is found at once."""
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        if self._socket:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._socket:
                line = self._socket.recv(65536).decode(errors="replace")
                if edge := edges.parse(line):
                    self.add(edge)
                    if edge["kind"] == "member":
                        self._on_member()

    def add(self, edge: dict[str, str]) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_later(COALESCE_S, self._flush)
        self._waiting.append(edge)

    def _flush(self) -> None:
        self._sampler.expect_changes()
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _EDGES_A_DATAGRAM):
            self._sender.send("edge", {"edges": waiting[start : start + _EDGES_A_DATAGRAM]})
