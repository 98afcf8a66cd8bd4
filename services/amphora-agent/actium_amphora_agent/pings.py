"""
Pings on haproxy's behalf, which cannot: it asks for a server by name when a check is due, and judges by the answer.

When and how often, and what follows from it, stays haproxy's: rise, fall, delay and timeout are those of its file.
"""

import asyncio
import itertools
import os
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.local_server import LocalServer
from actium_amphora_agent.traffic import Traffic

DEADLINE_S = 60.0
"""haproxy hangs up much sooner; this is for one that never would."""

UP, DOWN = b"UP\n", b"DOWN\n"
_LOOK_AGAIN_S = 0.05
_ASK, _ANSWER = {socket.AF_INET: 8, socket.AF_INET6: 128}, {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_HEADER = struct.Struct("!BBHHH")
_LARGEST_BYTES = 2048
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Target:
    address: str
    interface: str | None

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


def parse(content: bytes) -> Mapping[str, Target]:
    """The bundle's list: on each line a server's name as haproxy says it, the address, the interface or a dash."""
    rows = [line.split(" ") for line in content.decode().splitlines()]
    return {name: Target(address, None if interface == "-" else interface) for name, address, interface in rows}


class Pings:
    """`targets` gives the list that is in force, and a mark that changes with it."""

    def __init__(self, path: Path, traffic: Traffic, targets: Callable[[], tuple[str, bytes]]) -> None:
        self._traffic = traffic
        self._targets = targets
        self._known: tuple[str, Mapping[str, Target]] = ("", {})
        self._server = LocalServer(path, self._converse, deadline_s=DEADLINE_S)

    async def open(self) -> None:
        await self._server.open()

    async def close(self) -> None:
        await self._server.close()

    async def _converse(self, reader: asyncio.StreamReader) -> bytes:
        name = (await reader.readline()).decode().strip()
        asking = asyncio.create_task(self._ping(name))
        hung_up = asyncio.create_task(reader.read())
        try:
            await asyncio.wait((asking, hung_up), return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else DOWN
        finally:
            for task in (asking, hung_up):
                task.cancel()
            await asyncio.gather(asking, hung_up, return_exceptions=True)

    async def _ping(self, name: str) -> bytes:
        # A server that was just added is checked before its bundle counts as applied: its answer waits for that.
        while (target := self._look_up(name)) is None:
            await asyncio.sleep(_LOOK_AGAIN_S)
        try:
            await ping(self._traffic, target)
        except (OSError, Trouble):
            return DOWN
        return UP

    def _look_up(self, name: str) -> Target | None:
        mark, content = self._targets()
        if mark != self._known[0]:
            self._known = (mark, parse(content))
        return self._known[1].get(name)


async def ping(traffic: Traffic, target: Target) -> None:
    """
    Ask once and return when the answer is there; how long to wait is the caller's.

    Raises:
        OSError, Trouble: it cannot be reached.
    """
    loop = asyncio.get_running_loop()
    # Connected, so that of all pings' answers that arrive here it hears only those of this address.
    with traffic.socket(target.family, socket.SOCK_RAW, _PROTOCOL[target.family]) as endpoint:
        if target.interface:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, target.interface.encode())
        endpoint.connect((target.address, 0))
        identity, number = os.getpid() & 0xFFFF, next(_numbers) & 0xFFFF
        await loop.sock_sendall(endpoint, request(target.family, identity, number))
        wanted = (_ANSWER[target.family], 0, identity, number)
        while answered(target.family, await loop.sock_recv(endpoint, _LARGEST_BYTES)) != wanted:
            pass


def request(family: socket.AddressFamily, identity: int, number: int) -> bytes:
    """One echo request; for IPv6 the kernel fills in the checksum."""
    checksum = 0
    if family is socket.AF_INET:
        total = sum(struct.unpack("!4H", _HEADER.pack(_ASK[family], 0, 0, identity, number)))
        checksum = ~(total % 0xFFFF) & 0xFFFF
    return _HEADER.pack(_ASK[family], 0, checksum, identity, number)


def answered(family: socket.AddressFamily, packet: bytes) -> tuple[int, int, int, int] | None:
    """Kind, code, identity and number of an ICMP packet; None for less than one."""
    body = packet[(packet[0] & 0xF) * 4 :] if family is socket.AF_INET and packet else packet
    if len(body) < _HEADER.size:
        return None
    kind, code, _, identity, number = _HEADER.unpack_from(body)
    return kind, code, identity, number
