"""
haproxy's `show stat` as listeners and pools; totals that only grow.

A worker's counters begin at zero with each reload, so what its predecessors counted is kept as a base.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_COLUMNS = ("pxname", "svname", "scur", "stot", "bin", "bout", "ereq", "status")
_TOTALS = ("total_connections", "bytes_in", "bytes_out", "request_errors")
_LISTENER_STATUS = {"OPEN": "OPEN", "FULL": "FULL"}

_SEVERITY = ("no check", "UP", "DRAIN", "NOLB", "MAINT", "DOWN")
"""A pool of two listeners is two backends; of two statuses of one member the worse is told."""


@dataclass(frozen=True, slots=True)
class Sample:
    listeners: Mapping[str, dict[str, Any]]
    pools: Mapping[str, dict[str, Any]]


class Parser:
    """Remembers where the columns stand: the header is the same line each second."""

    def __init__(self) -> None:
        self._header = ""
        self._at: tuple[int, ...] = ()
        self._last = 0

    def parse(self, text: str) -> Sample:
        header, _, rows = text.partition("\n")
        if header != self._header:
            self._learn(header)
        listeners: dict[str, dict[str, Any]] = {}
        pools: dict[str, dict[str, Any]] = {}
        # By newlines alone: in the words of a check stands what a member sent, and splitlines() knows eight more ends of lines.
        for row in rows.split("\n"):
            if row and not row.startswith("_"):
                self._take(row, listeners, pools)
        return Sample(listeners, pools)

    def _learn(self, header: str) -> None:
        names = header.lstrip("# ").split(",")
        self._at = tuple(names.index(column) for column in _COLUMNS)
        self._last, self._header = max(self._at), header

    def _take(self, row: str, listeners: dict[str, dict[str, Any]], pools: dict[str, dict[str, Any]]) -> None:
        cells = row.split(",", self._last + 1)
        proxy, server, current, total, bytes_in, bytes_out, errors, status = (cells[at] for at in self._at)
        if server == "FRONTEND":
            listeners[proxy] = {
                "status": _LISTENER_STATUS.get(status, "STOP"),
                "active_connections": int(current or 0),
                "total_connections": int(total or 0),
                "bytes_in": int(bytes_in or 0),
                "bytes_out": int(bytes_out or 0),
                "request_errors": int(errors or 0),
            }
            return
        pool = pools.setdefault(proxy.partition(":")[0], {"status": "UP", "members": {}})
        if server == "BACKEND":
            if status != "UP":
                pool["status"] = "DOWN"
        else:
            known = pool["members"].get(server)
            pool["members"][server] = status if known is None else worse(known, status)


def worse(one: str, other: str) -> str:
    return max(
        one, other, key=lambda status: next((n for n, word in enumerate(_SEVERITY) if status.startswith(word)), 0)
    )


@dataclass(slots=True)
class Totals:
    """What each listener counted since the amphora booted, over all workers."""

    worker: int = 0
    base: dict[str, list[int]] = field(default_factory=dict)
    last: dict[str, list[int]] = field(default_factory=dict)
    dropped_base: int = 0
    dropped_last: int = 0

    def add(self, sample: Sample) -> dict[str, dict[str, Any]]:
        return {listener_id: self._add(listener_id, listener) for listener_id, listener in sample.listeners.items()}

    def _add(self, listener_id: str, listener: dict[str, Any]) -> dict[str, Any]:
        now = [listener[name] for name in _TOTALS]
        last = self.last.get(listener_id)
        if last and any(new < old for new, old in zip(now, last, strict=True)):
            self._settle(listener_id)  # a new worker that nobody announced
        self.last[listener_id] = now
        base = self.base.get(listener_id, [0] * len(_TOTALS))
        return listener | {name: value + base[n] for n, (name, value) in enumerate(zip(_TOTALS, now, strict=True))}

    def new_worker(self, worker: int) -> None:
        if worker == self.worker:
            return
        for listener_id in list(self.last):
            self._settle(listener_id)
        self.worker = worker
        self.dropped_base, self.dropped_last = self.dropped, 0

    @property
    def dropped(self) -> int:
        """Log lines that haproxy threw away, as nobody took them in time."""
        return self.dropped_base + self.dropped_last

    def forget(self) -> None:
        self.worker = 0
        self.base.clear()
        self.last.clear()

    def _settle(self, listener_id: str) -> None:
        last = self.last.pop(listener_id)
        base = self.base.get(listener_id, [0] * len(_TOTALS))
        self.base[listener_id] = [kept + counted for kept, counted in zip(base, last, strict=True)]
