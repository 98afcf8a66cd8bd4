"""A set of link names in a table of the kernel's packet filter, changed over netlink: to start `nft` takes thirty milliseconds."""

import errno
import os
import socket
import struct

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.traffic import Traffic

_NETLINK_NETFILTER = 12
_TABLES = 10
_ADD, _REMOVE = _TABLES << 8 | 12, _TABLES << 8 | 14
_BEGIN, _END = 16, 17
_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_ERROR = 2
_UNSPECIFIED, _INET = 0, 1
_OF_TABLE, _OF_SET, _ELEMENTS = 1, 2, 3
_ELEMENT, _KEY, _VALUE = 1, 1, 1
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct(">BBH")
_NAME_BYTES = 16
_ANSWER_DEADLINE_S = 1.0
"""The kernel answers within the call; this is for a kernel that never would."""


class NamesInSet:
    """The one socket is opened when it is needed first."""

    def __init__(self, traffic: Traffic, table: str, name: str) -> None:
        self._traffic = traffic
        self._of = _attribute(_OF_TABLE, table.encode() + b"\0") + _attribute(_OF_SET, name.encode() + b"\0")
        self._socket: socket.socket | None = None
        self._sequence = 0

    def add(self, link: str) -> None:
        """
        Raises:
            Trouble: the kernel took it not.
        """
        self._change(_ADD, _CREATE, link)

    def remove(self, link: str) -> None:
        """
        One that is not in it is no harm.

        Raises:
            Trouble: the kernel took it not.
        """
        self._change(_REMOVE, 0, link)

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _change(self, kind: int, flags: int, link: str) -> None:
        key = _attribute(_VALUE, link.encode().ljust(_NAME_BYTES, b"\0"))
        element = _attribute(_ELEMENT | _NESTED, _attribute(_KEY | _NESTED, key))
        body = _FAMILY.pack(_INET, 0, 0) + self._of + _attribute(_ELEMENTS | _NESTED, element)
        edge = _FAMILY.pack(_UNSPECIFIED, 0, _TABLES)
        try:
            number = self._say((_BEGIN, 0, edge), (kind, _ACK | flags, body), (_END, 0, edge))
        except OSError as exc:
            self.close()
            raise Trouble(f"netfilter: {exc.strerror or exc}") from exc
        if number not in ((0, errno.ENOENT) if kind == _REMOVE else (0,)):
            raise Trouble(f"netfilter: {os.strerror(number)}")

    def _say(self, *messages: tuple[int, int, bytes]) -> int:
        """All as one transaction; the kernel's error number for the one that asks for an answer."""
        if self._socket is None:
            self._socket = self._traffic.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
            self._socket.settimeout(_ANSWER_DEADLINE_S)
        first = self._sequence + 1
        datagram = b""
        for kind, flags, body in messages:
            self._sequence += 1
            datagram += _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0) + body
        self._socket.send(datagram)
        while True:
            answer = self._socket.recv(65536)
            _, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if kind == _ERROR and sequence >= first:
                return -int(struct.unpack_from("=i", answer, _HEADER.size)[0])


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
