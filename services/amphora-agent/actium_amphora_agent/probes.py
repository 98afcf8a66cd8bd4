"""
One look at a member of a UDP pool, from the traffic namespace: by TCP, HTTP or UDP. What haproxy balances it checks itself.
"""

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping

from actium_amphora_agent.balancing import Check
from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.traffic import Traffic

_RECEIVE_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""With it a connected UDP socket hears of an unreachable host too, not only of a closed port."""

_STATUS_LINE_BYTES = 4096


class Failed(Exception):  # noqa: N818 - read as a sentence where it is raised
    """The member did not pass; the message is for people."""


class Probes:
    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._lingering: dict[Check, socket.socket] = {}
        self._kinds: Mapping[str, Callable[[Check], Awaitable[None]]] = {
            "TCP": self._tcp,
            "HTTP": self._http,
            "UDP-CONNECT": self._udp,
        }

    async def run(self, check: Check) -> None:
        """
        Raises:
            Failed: within the check's time the member did not do what it should.
        """
        try:
            await self._kinds[check.kind](check)
        except TimeoutError as exc:
            raise Failed(f"no answer within {check.timeout_s:g} s") from exc
        except OSError as exc:
            raise Failed(exc.strerror or str(exc)) from exc
        except Trouble as exc:
            raise Failed(str(exc)) from exc

    async def _tcp(self, check: Check) -> None:
        async with asyncio.timeout(check.timeout_s):
            with await self._connected(check):
                return

    async def _http(self, check: Check) -> None:
        assert check.request is not None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(check.timeout_s):
            with await self._connected(check) as link:
                await loop.sock_sendall(link, check.request.text.encode())
                said = b""
                while b"\n" not in said and len(said) < _STATUS_LINE_BYTES:
                    if not (more := await loop.sock_recv(link, _STATUS_LINE_BYTES)):
                        break
                    said += more
        _judge_status(said, check.request.expected)

    async def _connected(self, check: Check) -> socket.socket:
        link = self._socket(check, socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(link, (check.address, check.port))
        except BaseException:
            link.close()
            raise
        return link

    async def _udp(self, check: Check) -> None:
        """
        Silence is fine: only an ICMP error says that nobody is there.

        That a host does not answer ARP is known after three seconds, which may be too late for this check. So all checks of a
        member use one socket, and one that finds such an error there fails for it.
        """
        link = self._lingering.get(check) or self._connected_udp(check)
        late = _pending_error(link)
        try:
            link.send(b"")
        except OSError:
            self.forget(check)  # its card may have gone and come back as another one
            raise
        if late:
            raise Failed(os.strerror(late))
        try:
            async with asyncio.timeout(check.timeout_s):
                await asyncio.get_running_loop().sock_recv(link, 1)
        except TimeoutError:
            return
        except OSError as exc:
            if exc.errno == errno.EHOSTUNREACH:
                link.send(b"")  # so that the next check finds the next three seconds' answer, and not silence
            raise
        finally:
            _pending_error(link)  # the kernel keeps a second copy of what was just told

    def _connected_udp(self, check: Check) -> socket.socket:
        family = _family(check.address)
        link = self._lingering[check] = self._traffic.socket(family, socket.SOCK_DGRAM)
        # Not bound to the card: the kernel's own words about unreachable hosts come by `lo`.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", check.mark))
        link.setsockopt(*_RECEIVE_ERRORS[family], 1)
        link.connect((check.address, check.port))
        return link

    def forget(self, check: Check) -> None:
        """Nobody will ask for this check again."""
        if link := self._lingering.pop(check, None):
            link.close()

    def _socket(self, check: Check, kind: int) -> socket.socket:
        link = self._traffic.socket(_family(check.address), kind)
        try:
            _bind(link, check.interface)
        except OSError:
            link.close()
            raise
        return link


def _pending_error(link: socket.socket) -> int:
    """What the socket was told since it was last asked; 0 for nothing. Unread words would wake whoever waits, for ever."""
    found = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    with contextlib.suppress(BlockingIOError):
        while link.recvmsg(1, 512, socket.MSG_ERRQUEUE):
            found = found or errno.EHOSTUNREACH
    return found


def _bind(link: socket.socket, interface: str | None) -> None:
    if interface:
        # Tenants' ranges may overlap: the card says which member is meant.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _judge_status(said: bytes, expected: tuple[tuple[int, int], ...]) -> None:
    words = said.partition(b"\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise Failed("the answer is not HTTP")
    status = int(words[1])
    if not any(least <= status <= most for least, most in expected):
        raise Failed(f"HTTP status {status} is not expected")
