"""
Which servers a new worker must go on taking for dead: haproxy takes every server for alive until its checks fail. Pure.

Only that verdict is carried over, and only for a server that is still where it was and still checked, be it in another way: it
lives again when a check says so. All that a wish decides (weight, maintenance, whether there are checks at all) is the new file's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NOTHING = b"1\n"
"""A file that tells of no server; haproxy warns of one that is missing or empty."""

_BACKEND, _SERVER, _ADDRESS, _RUNS, _ADMIN, _WEIGHT, _FILES_WEIGHT, _PORT = 1, 3, 4, 5, 6, 7, 8, 18
_COLUMNS_LEAST = 19
_STOPPED, _NO_MAINTENANCE = "0", "0"


@dataclass(frozen=True, slots=True)
class _Server:
    place: str
    weight: str
    disabled: bool
    checked: bool


def dead(shown: str) -> list[str]:
    """Of what a worker answers to `show servers state`, the lines of those that failed their checks."""
    rows = (line for line in shown.split("\n") if line and not line.startswith("#"))
    return [row for row in rows if _is_dead(row.split(" "))]


def carried_over(rows: list[str], after: bytes) -> bytes:
    """The state file for a worker that will read the configuration `after`, from the lines of the dead."""
    servers = _servers(after)
    lines = [
        _line(row, server)
        for row in (line.split(" ") for line in rows)
        if (server := servers.get((row[_BACKEND], row[_SERVER]))) and _stays_dead(row, server)
    ]
    return NOTHING + "".join(f"{line}\n" for line in lines).encode()


def _is_dead(row: list[str]) -> bool:
    return len(row) >= _COLUMNS_LEAST and row[_RUNS] == _STOPPED and row[_ADMIN] == _NO_MAINTENANCE


def _stays_dead(row: list[str], server: _Server) -> bool:
    address = f"[{row[_ADDRESS]}]" if ":" in row[_ADDRESS] else row[_ADDRESS]
    return server.checked and not server.disabled and server.place == f"{address}:{row[_PORT]}"


def _line(row: list[str], server: _Server) -> str:
    # Equal to the file's own weight, or haproxy would set the one that the last worker had.
    weights = {_WEIGHT: server.weight, _FILES_WEIGHT: server.weight}
    return " ".join(weights.get(column, word) for column, word in enumerate(row))


def _servers(configuration: bytes) -> Mapping[tuple[str, str], _Server]:
    """A line that is not indented begins another section."""
    found: dict[tuple[str, str], _Server] = {}
    backend = ""
    for line in configuration.decode(errors="replace").split("\n"):
        words = line.split()
        if line[:1].isspace():
            if backend and words[:1] == ["server"]:
                found[(backend, words[1])] = _server(words[2:])
        elif words:
            backend = words[1] if words[0] == "backend" else ""
    return found


def _server(words: list[str]) -> _Server:
    at = words.index("weight") if "weight" in words else len(words)
    weight = words[at + 1] if at + 1 < len(words) else "1"
    return _Server(words[0], weight, "disabled" in words, "check" in words)
