"""
The UDP datagram between an amphora and the relay: packing, signing, freshness. Health reads it, in its own `keys`.

Pure, and free of every import but the standard library and msgpack: the agent copies this one module into its image.
No socket and no clock here; what a beat's body means is written in services/amphora-agent/README.md.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgpack

VERSION = 1
SIGNATURE_BYTES = hashlib.sha256().digest_size
DATAGRAM_LIMIT_BYTES = 60_000
"""Below UDP's 65,507 with room for a tunnel's headers; a larger beat is split into parts."""

_ENVELOPE_BYTES = 1_024
"""More than the fields around a body ever take, so that parts can be cut before they are packed."""

_WINDOW = 64
"""How far back a counter is still told apart as "overtaken" or "replayed"."""

Kind = Literal["beat", "edge", "farewell"]


class HeartbeatError(ValueError):
    """
    A datagram that must not be believed.

    HeartbeatError
    ├── Malformed       not ours at all, or of a version that we do not read
    └── BadSignature    well formed, but not signed with this amphora's key
    """


class Malformed(HeartbeatError):  # noqa: N818 - read as a sentence where it is raised
    pass


class BadSignature(HeartbeatError):  # noqa: N818
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    amphora_id: str
    key_version: int
    boot_id: str
    counter: int
    at: float
    kind: Kind
    body: Mapping[str, Any]


def pack(heartbeat: Heartbeat, key: bytes) -> bytes:
    payload: bytes = msgpack.packb(
        {
            "v": VERSION,
            "amphora_id": heartbeat.amphora_id,
            "key_version": heartbeat.key_version,
            "boot_id": heartbeat.boot_id,
            "counter": heartbeat.counter,
            "at": heartbeat.at,
            "kind": heartbeat.kind,
            "body": heartbeat.body,
        }
    )
    datagram = payload + _sign(payload, key)
    if len(datagram) > DATAGRAM_LIMIT_BYTES:
        raise ValueError(f"a datagram of {len(datagram)} bytes exceeds {DATAGRAM_LIMIT_BYTES}: split its body first")
    return datagram


def _sign(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")


def split(body: Mapping[str, Any], *, limit_bytes: int = DATAGRAM_LIMIT_BYTES) -> list[dict[str, Any]]:
    """
    Cut a beat's body into parts that fit a datagram each; one that fits already comes back alone, without "part".

    Listeners and members are dealt out; every other field is in every part. A pool's members may be spread over several
    parts, so a reader merges maps by id.
    """
    if len(msgpack.packb(body)) <= limit_bytes - SIGNATURE_BYTES - _ENVELOPE_BYTES:
        return [dict(body)]
    head = {name: value for name, value in body.items() if name not in ("listeners", "pools")}
    room = limit_bytes - SIGNATURE_BYTES - _ENVELOPE_BYTES - len(msgpack.packb(head))
    parts = list(_deal(body, room))
    return [{**head, **part, "part": [index, len(parts)]} for index, part in enumerate(parts)]


def _deal(body: Mapping[str, Any], room: int) -> Iterator[dict[str, Any]]:
    part: dict[str, Any] = {"listeners": {}, "pools": {}}
    used = 0
    for listener_id, listener in body.get("listeners", {}).items():
        size = len(msgpack.packb([listener_id, listener]))
        if used + size > room and used:
            yield part
            part, used = {"listeners": {}, "pools": {}}, 0
        part["listeners"][listener_id] = listener
        used += size
    for pool_id, status, members in _slices(body):
        size = len(msgpack.packb([pool_id, status, "members", members]))
        if used + size > room and used:
            yield part
            part, used = {"listeners": {}, "pools": {}}, 0
        pool = part["pools"].setdefault(pool_id, {"status": status, "members": {}})
        pool["members"].update(members)
        used += size
    yield part


def _slices(body: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Pools in slices of a few members, so that one pool of thousands can be dealt out too."""
    for pool_id, pool in body.get("pools", {}).items():
        members = list(pool["members"].items())
        for start in range(0, len(members) or 1, 16):
            yield pool_id, pool["status"], dict(members[start : start + 16])


class Stamp(Protocol):
    """What tells a heartbeat's place among others of its amphora."""

    @property
    def boot_id(self) -> str: ...
    @property
    def counter(self) -> int: ...
    @property
    def at(self) -> float: ...


class Freshness:
    """
    Whether one amphora's datagrams come in their order, once and in time; ask only about verified ones.

    Within a boot the counter only grows. Another boot is believed once its time is past all that was seen, and the boot
    before it never again, so a recording of an earlier life is worth nothing.
    """

    def __init__(self, *, limit_s: float = 30.0) -> None:
        self._limit_s = limit_s
        self._boot_id = ""
        self._counter = -1
        self._seen = 0  # bit n: counter - n was seen
        self._at = float("-inf")
        self._retired: deque[str] = deque(maxlen=16)

    def refusal(self, heartbeat: Stamp, *, now: float) -> str | None:
        """None: fresh, and remembered as seen. Otherwise why not: stale, other boot, replayed, overtaken."""
        if not abs(now - heartbeat.at) <= self._limit_s:  # negated, so that a NaN is stale
            return "stale"
        if heartbeat.boot_id != self._boot_id:
            return self._change_boot(heartbeat)
        behind = self._counter - heartbeat.counter
        if behind >= 0:
            # A relay passes edges on before the list of beats, so a beat may be overtaken: old, but no attack.
            return self._refuse_late(behind)
        self._advance(heartbeat, -behind)
        return None

    def _change_boot(self, heartbeat: Stamp) -> str | None:
        if heartbeat.boot_id in self._retired or heartbeat.at <= self._at:
            return "other boot"
        if self._boot_id:
            self._retired.append(self._boot_id)
        self._boot_id = heartbeat.boot_id
        self._seen = 0
        self._advance(heartbeat, _WINDOW)
        return None

    def _refuse_late(self, behind: int) -> str:
        if behind >= _WINDOW or self._seen >> behind & 1:
            return "replayed"
        self._seen |= 1 << behind
        return "overtaken"

    def _advance(self, heartbeat: Stamp, steps: int) -> None:
        self._seen = (self._seen << min(steps, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
        self._counter = heartbeat.counter
        self._at = max(self._at, heartbeat.at)
