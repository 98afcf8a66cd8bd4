"""Who answers for an address: every few milliseconds the network is asked, as any neighbour may, and all answers are kept."""

import ipaddress
import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

EVERY_S = 0.01
_ARP, _ASKS, _ANSWERS = 0x0806, 1, 2
_EVERYBODY = b"\xff" * 6


@dataclass(slots=True)
class Claims:
    """When (`time.monotonic`) which MAC answered, in the order in which the answers came."""

    heard: list[tuple[float, str]] = field(default_factory=list)

    def contested_s(self) -> float:
        """Give how long more than one answered: the time from the first change of who answers to the last."""
        changes = [later for (_, one), (later, other) in itertools.pairwise(self.heard) if one != other]
        return changes[-1] - changes[0] if changes else 0.0

    def claimants(self, *, since: float) -> set[str]:
        return {mac for at, mac in self.heard if at >= since}


@contextmanager
def claims_of(address: str, link: str) -> Iterator[Claims]:
    """Ask on the host's link until the block ends; what was heard grows meanwhile."""
    claims, enough = Claims(), threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as wire:
        wire.bind((link, _ARP))
        wire.settimeout(EVERY_S)
        own = wire.getsockname()[4]
        source = ipaddress.ip_address(address.rsplit(".", 1)[0] + ".2").packed
        target = ipaddress.ip_address(address).packed
        question = _frame(own, source, target)
        thread = threading.Thread(target=_ask, args=(wire, question, own, target, claims, enough), name="claims")
        thread.start()
        try:
            yield claims
        finally:
            enough.set()
            thread.join(10)


def _frame(own: bytes, source: bytes, target: bytes) -> bytes:
    head = _EVERYBODY + own + struct.pack("!H", _ARP)
    return head + struct.pack("!HHBBH", 1, 0x0800, 6, 4, _ASKS) + own + source + bytes(6) + target


def _ask(
    wire: socket.socket, question: bytes, own: bytes, target: bytes, claims: Claims, enough: threading.Event
) -> None:
    next_at = time.monotonic()
    while not enough.is_set():
        if time.monotonic() >= next_at:
            wire.send(question)
            next_at = time.monotonic() + EVERY_S
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            continue
        if frame[:6] == own and frame[20:22] == struct.pack("!H", _ANSWERS) and frame[28:32] == target:
            claims.heard.append((time.monotonic(), frame[22:28].hex(":")))
