"""
Which servers a reload must go on taking for dead: haproxy takes every server for alive until its checks fail. Pure.

Only that verdict is carried over, and only for a server that the new file checks at the same place in the same way. All that
a wish decides (weight, maintenance, whether there are checks at all) is the new file's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

NOTHING = b"1\n"
"""A file that tells of no server; haproxy warns of one that is missing or empty."""

_BACKEND, _SERVER, _RUNS, _ADMIN, _WEIGHT, _FILES_WEIGHT = 1, 3, 5, 6, 7, 8
_COLUMNS_LEAST = 9
_STOPPED, _NO_MAINTENANCE = "0", "0"
_CHECKS = re.compile(r"check|chk")
_PASSING = ("backup", "disabled")
"""What may change about a server without making another one of it; so may its weight."""


@dataclass(frozen=True, slots=True)
class _Server:
    weight: str
    disabled: bool
    checked: bool
    what: tuple[str, ...]
    """Where it is and how it is checked: while this is the same, so is the verdict."""


def carried_over(shown: str, before: bytes, after: bytes) -> bytes:
    """
    The state file for a worker that will read the configuration `after`.

    `shown` is what the worker in charge, which runs `before`, answers to `show servers state`.
    """
    old, new = _servers(before), _servers(after)
    rows = [line.split(" ") for line in shown.split("\n") if line and not line.startswith("#")]
    kept = [row for row in rows if len(row) >= _COLUMNS_LEAST and _is_dead(row)]
    lines = [
        _line(row, new[key]) for row in kept if _is_same(old.get(key := (row[_BACKEND], row[_SERVER])), new.get(key))
    ]
    return NOTHING + "".join(f"{line}\n" for line in lines).encode()


def _is_dead(row: list[str]) -> bool:
    return row[_RUNS] == _STOPPED and row[_ADMIN] == _NO_MAINTENANCE


def _is_same(old: _Server | None, new: _Server | None) -> bool:
    return old is not None and new is not None and new.checked and not new.disabled and new.what == old.what


def _line(row: list[str], server: _Server) -> str:
    # Equal to the file's own weight, or haproxy would set the one that the last worker had.
    weights = {_WEIGHT: server.weight, _FILES_WEIGHT: server.weight}
    return " ".join(weights.get(column, word) for column, word in enumerate(row))


def _servers(configuration: bytes) -> Mapping[tuple[str, str], _Server]:
    found: dict[tuple[str, str], _Server] = {}
    for backend, lines in _backends(configuration.decode(errors="replace")).items():
        checks = tuple(line for line in lines if not line.startswith("server ") and _CHECKS.search(line))
        for name, *words in (line.split()[1:] for line in lines if line.startswith("server ")):
            found[(backend, name)] = _server(words, checks)
    return found


def _backends(text: str) -> Mapping[str, list[str]]:
    """The lines of each backend; a line that is not indented begins another section."""
    backends: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("backend "):
            lines = backends.setdefault(line.split()[1], [])
        elif line[:1].isspace():
            lines.append(line.strip())
        elif line:
            lines = []
    return backends


def _server(words: list[str], checks: tuple[str, ...]) -> _Server:
    at = words.index("weight") if "weight" in words else len(words)
    what = [word for word in words[:at] + words[at + 2 :] if word not in _PASSING]
    weight = words[at + 1] if at + 1 < len(words) else "1"
    return _Server(weight, "disabled" in words, "check" in words, (*what, *checks))
