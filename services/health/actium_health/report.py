"""What one amphora says that it runs: made from the bodies of its beats and edge alerts. Pure; trust and age are others' business."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec
from msgspec import Meta

from actium_shared.errors import PermanentError

SERVING = ("UP", "no check")
"""How haproxy's word for a member begins that may get traffic."""


FIGURE_MOST = 2**63 - 1
"""What a database's integer holds; an amphora that reports more is not to be believed."""

Figure = Annotated[int, Meta(ge=0, le=FIGURE_MOST)]


class ListenerReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A listener: OPEN, FULL or STOP, and what it has carried since the amphora's boot."""

    status: str
    bytes_in: Figure
    bytes_out: Figure
    active_connections: Figure
    total_connections: Figure
    request_errors: Figure


class PoolReport(msgspec.Struct, frozen=True, kw_only=True):
    """A pool in haproxy's words: UP or DOWN, and `UP 1/3`, `no check` and so on for each member."""

    status: str
    members: dict[str, str]


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of logs since the amphora's boot: brought to their store, and lost by reason."""

    shipped: Figure = 0
    lost: Annotated[dict[Annotated[str, Meta(max_length=32)], Figure], Meta(max_length=16)] = {}


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a beat, as far as it is of use here. `part` is [index, count]; An older agent says no `epoch`; one without logs no `logs`."""

    bundle: int | None
    listeners: dict[str, ListenerReport]
    pools: dict[str, PoolReport]
    role: str | None = None
    epoch: int | None = None
    logs: LogReport | None = None
    part: tuple[int, int] = (0, 1)


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """Something changed at the amphora: a member's, a listener's or (`kind` "role") its own word."""

    kind: str
    id: str
    status: str
    pool_id: str = ""
    reason: str | None = None


class Edges(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an edge alert."""

    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    The newest picture of one amphora.

    `settled`: the beat before told of the same bundle and the same objects. While a bundle comes into force, or haproxy
    is started again, what a single beat lacks says nothing. `listeners` are OPEN, FULL or STOP.
    """

    bundle: int
    role: str | None = None
    settled: bool = False
    listeners: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, PoolReport] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Object id -> haproxy's sentence about the edge that brought it where it is."""


@dataclass(slots=True)
class Parts:
    """A beat may come in parts; only a whole one is a picture."""

    beats: list[Beat] = field(default_factory=list)

    def add(self, beat: Beat) -> Beat | None:
        """Take the next part; give the whole one once it is complete. A part out of turn ends the collecting."""
        index, count = beat.part
        if index == 0 or index != len(self.beats):
            self.beats.clear()
        if index != len(self.beats):
            return None
        self.beats.append(beat)
        if len(self.beats) < count:
            return None
        whole, self.beats = _joined(self.beats), []
        return whole


_BEAT = msgspec.msgpack.Decoder(Beat)
_EDGES = msgspec.msgpack.Decoder(Edges)


def read_beat(body: bytes | msgspec.Raw) -> Beat:
    """
    Read the body of a beat.

    Raises:
        PermanentError: it is something else.
    """
    try:
        return _BEAT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise PermanentError(f"not the body of a beat: {exc}") from exc


def read_edges(body: bytes | msgspec.Raw) -> tuple[Edge, ...]:
    """
    Read the body of an edge alert.

    Raises:
        PermanentError: it is something else.
    """
    try:
        return _EDGES.decode(body).edges
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise PermanentError(f"not the body of an edge alert: {exc}") from exc


def from_beat(beat: Beat, before: Report | None) -> Report:
    """Give the picture that a whole beat paints; the one before, where it is still the same."""
    listeners = {key: value.status for key, value in beat.listeners.items()}
    bundle = beat.bundle or 0
    if before is None:
        return Report(bundle=bundle, role=beat.role, listeners=listeners, pools=beat.pools)
    same = before.bundle == bundle and before.role == beat.role and before.listeners == listeners
    if same and before.settled and before.pools == beat.pools:
        return before
    report = Report(bundle=bundle, role=beat.role, listeners=listeners, pools=beat.pools)
    settled = _contents(before) == _contents(report)
    return replace(report, settled=settled, reasons=_still_true(before, report) if before.reasons else {})


def with_edges(report: Report, edges: Iterable[Edge]) -> Report:
    """Give the picture after the edges; a pool's own word follows from its members' until the next beat says it."""
    for edge in edges:
        report = _with_edge(report, edge)
    return report


def _with_edge(report: Report, edge: Edge) -> Report:
    reasons = {**report.reasons, edge.id: edge.reason or edge.status}
    match edge.kind:
        case "member" if (pool := report.pools.get(edge.pool_id)) is not None:
            members = {**pool.members, edge.id: edge.status}
            serves = any(word.startswith(SERVING) for word in members.values())
            changed = PoolReport(status="UP" if serves else "DOWN", members=members)
            return replace(report, pools={**report.pools, edge.pool_id: changed}, reasons=reasons)
        case "listener":
            return replace(report, listeners={**report.listeners, edge.id: edge.status}, reasons=reasons)
        case "role":
            return replace(report, role=edge.status)
        case _:
            return report  # of a pool that no beat has shown yet, or a kind that a newer agent knows


def _joined(beats: list[Beat]) -> Beat:
    if len(beats) == 1:
        return beats[0]
    listeners = {key: value for beat in beats for key, value in beat.listeners.items()}
    pools: dict[str, PoolReport] = {}
    for key, pool in ((key, pool) for beat in beats for key, pool in beat.pools.items()):
        # A large pool is spread over several parts.
        members = pools[key].members | pool.members if key in pools else pool.members
        pools[key] = PoolReport(status=pool.status, members=members)
    return msgspec.structs.replace(beats[-1], listeners=listeners, pools=pools)


def _contents(report: Report) -> tuple[object, ...]:
    return report.bundle, report.listeners.keys(), report.pools.keys()


def _still_true(before: Report, now: Report) -> dict[str, str]:
    then, today = _words(before), _words(now)
    return {about: reason for about, reason in before.reasons.items() if then.get(about) == today.get(about)}


def _words(report: Report) -> dict[str, str]:
    members = {key: word for pool in report.pools.values() for key, word in pool.members.items()}
    return {**report.listeners, **members}
