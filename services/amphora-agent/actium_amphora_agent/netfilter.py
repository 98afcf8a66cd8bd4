"""
The kernel's flows and counters, asked over netlink: a spawned tool would cost ten milliseconds each time. Everything here waits
for the kernel, so what may take long is called from a thread.

Flows are told apart by their marks, counters by their names; what either means is `balancing`'s to know.
"""

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.traffic import Traffic

_NETLINK_NETFILTER = 12
_FLOWS, _TABLES = 1 << 8, 10 << 8
_GET_FLOWS, _DELETE_FLOWS, _GET_OBJECTS = _FLOWS | 1, _FLOWS | 2, _TABLES | 19
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_INET = 1
_FLOW_ORIGINAL, _FLOW_MARK, _FLOW_ID, _FLOW_ZONE, _FLOW_MARK_MASK = 1, 8, 12, 18, 21
_OBJECT_TABLE, _OBJECT_NAME, _OBJECT_DATA = 1, 2, 4
_COUNTER_BYTES, _COUNTER_PACKETS = 1, 2
_NESTED, _NESTED_BITS = 0x8000, 0xC000
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_FAMILY = struct.Struct("=BBH")
_NUMBER, _LONG = struct.Struct(">I"), struct.Struct(">Q")
_WHOLE_MARK = b"\xff" * 4
_BUFFER_BYTES = 256 * 1024
_ANSWER_DEADLINE_S = 2.0
"""The kernel answers within the call; this is for a kernel that never would."""

_NOT_THERE = 2


@dataclass(frozen=True, slots=True)
class Count:
    packets: int = 0
    bytes: int = 0


class FlowsAndCounters(Protocol):
    """What balancing needs of the kernel. All raise `Trouble` when it refuses."""

    def counters(self, table: str) -> Mapping[str, Count]: ...

    def flows(self) -> Mapping[int, int]:
        """How many flows carry each mark."""
        ...

    def forget_flows(self, marks: AbstractSet[int]) -> None:
        """Forget every flow that carries one of these marks."""
        ...


class Netfilter:
    """Implements `FlowsAndCounters` in the traffic namespace; the one socket is opened when it is needed first."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._socket: socket.socket | None = None
        self._sequence = 0

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def counters(self, table: str) -> Mapping[str, Count]:
        found = {}
        for body in self._ask(_GET_OBJECTS, _DUMP, _attribute(_OBJECT_TABLE, table.encode() + b"\0"), family=_INET):
            fields = dict(_attributes(body[_FAMILY.size :]))
            data = dict(_attributes(fields.get(_OBJECT_DATA, b"")))
            if _COUNTER_BYTES in data and _COUNTER_PACKETS in data:
                name = fields[_OBJECT_NAME].rstrip(b"\0").decode()
                found[name] = Count(_long(data[_COUNTER_PACKETS]), _long(data[_COUNTER_BYTES]))
        return found

    def flows(self) -> Mapping[int, int]:
        marks: Counter[int] = Counter()
        for _, fields in self._dump():
            if mark := _mark(fields):
                marks[mark] += 1
        return marks

    def forget_flows(self, marks: AbstractSet[int]) -> None:
        """For one mark the kernel looks through its flows by itself; for many we do, once, instead of once for each."""
        if len(marks) == 1:
            (mark,) = marks
            self._delete(_attribute(_FLOW_MARK, _NUMBER.pack(mark)) + _attribute(_FLOW_MARK_MASK, _WHOLE_MARK))
        elif marks:
            # All are found before the first is deleted: there is one socket, and one question at a time.
            for family, fields in [item for item in self._dump() if _mark(item[1]) in marks]:
                told = b"".join(_attribute(kind | _NESTED, fields[kind]) for kind in (_FLOW_ORIGINAL,))
                zone = _attribute(_FLOW_ZONE, fields[_FLOW_ZONE]) if _FLOW_ZONE in fields else b""
                self._delete(told + zone + _attribute(_FLOW_ID, fields[_FLOW_ID]), family=family)

    def _dump(self) -> Iterator[tuple[int, dict[int, bytes]]]:
        return ((body[0], dict(_attributes(body[_FAMILY.size :]))) for body in self._ask(_GET_FLOWS, _DUMP))

    def _delete(self, what: bytes, *, family: int = 0) -> None:
        for _ in self._ask(_DELETE_FLOWS, _ACK, what, family=family):
            pass

    def _ask(self, kind: int, flags: int, attributes: bytes = b"", *, family: int = 0) -> Iterator[bytes]:
        """The bodies of all messages of the answer; each begins with its family header."""
        if self._socket is None:
            self._socket = self._traffic.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
            self._socket.settimeout(_ANSWER_DEADLINE_S)
        self._sequence += 1
        body = _FAMILY.pack(family, 0, 0) + attributes
        head = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0)
        try:
            self._socket.send(head + body)
            yield from self._answer(self._socket)
        except OSError as exc:
            self.close()
            raise Trouble(f"netfilter: {exc.strerror or exc}") from exc

    def _answer(self, link: socket.socket) -> Iterator[bytes]:
        while True:
            datagram = memoryview(link.recv(_BUFFER_BYTES))
            while len(datagram) >= _HEADER.size:
                length, kind, _, sequence, _ = _HEADER.unpack_from(datagram)
                body, datagram = datagram[_HEADER.size : length], datagram[_aligned(length) :]
                if sequence != self._sequence:
                    continue  # the rest of an answer that nobody waited for
                if kind in (_DONE, _ERROR):
                    _raise_error(body)
                    return
                yield bytes(body)


def _mark(flow: Mapping[int, bytes]) -> int:
    return int(_NUMBER.unpack(flow[_FLOW_MARK])[0]) if _FLOW_MARK in flow else 0


def _raise_error(body: memoryview) -> None:
    number = -struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    if number not in (0, _NOT_THERE):
        raise OSError(number, os.strerror(number))


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & ~_NESTED_BITS, body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _long(value: bytes) -> int:
    return int(_LONG.unpack(value)[0])
