"""What one amphora says that it runs: made from the bodies of its beats and edge alerts. Pure; trust and age are others' business."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from actium_shared.errors import PermanentError

SERVING = ("UP", "no check")
"""How haproxy's word for a member begins that may get traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReport:
    """A pool in haproxy's words: UP or DOWN, and `UP 1/3`, `no check` and so on for each member."""

    status: str
    members: Mapping[str, str] = field(default_factory=dict)


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

    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """
        Take the next body; give the whole one once it is complete. A part out of turn ends the collecting.

        Raises:
            PermanentError: `part` is not [index, count].
        """
        index, count = _part(body)
        if index == 0 or index != len(self.bodies):
            self.bodies.clear()
        if index != len(self.bodies):
            return None
        self.bodies.append(body)
        if len(self.bodies) < count:
            return None
        whole, self.bodies = _joined(self.bodies), []
        return whole


def from_beat(body: Mapping[str, Any], before: Report | None) -> Report:
    """
    Give the picture that a whole beat paints.

    Raises:
        PermanentError: the body is not one of a beat.
    """
    try:
        report = Report(
            bundle=int(body["bundle"] or 0),
            role=body.get("role"),
            listeners={str(key): str(value["status"]) for key, value in body["listeners"].items()},
            pools={str(key): _pool(value) for key, value in body["pools"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise PermanentError(f"not the body of a beat: {type(exc).__name__}: {exc}") from exc
    if before is None:
        return report
    settled = _contents(before) == _contents(report)
    return replace(report, settled=settled, reasons=_still_true(before, report) if before.reasons else {})


def with_edges(report: Report, body: Mapping[str, Any]) -> Report:
    """
    Give the picture after the edges; a pool's own word follows from its members' until the next beat says it.

    Raises:
        PermanentError: the body is not one of an edge alert.
    """
    try:
        for edge in body["edges"]:
            report = _with_edge(report, edge)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise PermanentError(f"not the body of an edge alert: {type(exc).__name__}: {exc}") from exc
    return report


def _with_edge(report: Report, edge: Mapping[str, Any]) -> Report:
    status, about = str(edge["status"]), str(edge["id"])
    reasons = {**report.reasons, about: str(edge.get("reason") or status)}
    match edge["kind"]:
        case "member" if (pool := report.pools.get(str(edge["pool_id"]))) is not None:
            members = {**pool.members, about: status}
            serves = any(word.startswith(SERVING) for word in members.values())
            changed = PoolReport(status="UP" if serves else "DOWN", members=members)
            return replace(report, pools={**report.pools, str(edge["pool_id"]): changed}, reasons=reasons)
        case "listener":
            return replace(report, listeners={**report.listeners, about: status}, reasons=reasons)
        case "role":
            return replace(report, role=status)
        case _:
            return report  # of a pool that no beat has shown yet, or a kind that a newer agent knows


def _pool(value: Mapping[str, Any]) -> PoolReport:
    return PoolReport(
        status=str(value["status"]), members={str(key): str(word) for key, word in value["members"].items()}
    )


def _part(body: Mapping[str, Any]) -> tuple[int, int]:
    try:
        index, count = body.get("part") or (0, 1)
        return int(index), int(count)
    except (TypeError, ValueError) as exc:
        raise PermanentError(f"part is {body.get('part')!r}, not [index, count]") from exc


def _joined(bodies: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(bodies) == 1:
        return bodies[0]
    try:
        listeners = {key: value for body in bodies for key, value in body["listeners"].items()}
        pools: dict[str, dict[str, Any]] = {}
        for key, value in ((key, value) for body in bodies for key, value in body["pools"].items()):
            pool = pools.setdefault(key, {"status": value["status"], "members": {}})
            pool["members"] |= value["members"]  # a large pool is spread over several parts
    except (KeyError, TypeError, AttributeError) as exc:
        raise PermanentError(f"not a part of a beat: {type(exc).__name__}: {exc}") from exc
    return {**bodies[-1], "listeners": listeners, "pools": pools}


def _contents(report: Report) -> tuple[object, ...]:
    return report.bundle, report.listeners.keys(), report.pools.keys()


def _still_true(before: Report, now: Report) -> dict[str, str]:
    then, today = _words(before), _words(now)
    return {about: reason for about, reason in before.reasons.items() if then.get(about) == today.get(about)}


def _words(report: Report) -> dict[str, str]:
    members = {key: word for pool in report.pools.values() for key, word in pool.members.items()}
    return {**report.listeners, **members}
