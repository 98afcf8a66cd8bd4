"""`logs`: the last lines of one service or of all, and what comes after them."""

import threading
import time
from pathlib import Path

from actium_embedded.errors import WorldError
from actium_embedded.terminal import console, escape
from actium_embedded.world import World
from actium_shared.terminals import end_with_reader

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_red", "bright_cyan", "white")
BLOCK_BYTES = 256 * 1024
"""How far back the last lines are looked for."""

POLL_S = 0.2


def files(world: World, service: str | None) -> dict[str, Path]:
    known = {path.stem: path for path in sorted(world.logs.glob("*.log"))}
    if service is None:
        return known
    if service not in known:
        raise WorldError(f"there is no log of {service!r}; there are: {', '.join(known) or 'none yet'}")
    return {service: known[service]}


def show(world: World, service: str | None, *, lines: int, follow: bool) -> None:
    """Print, and go on until Ctrl-C where `follow` is set."""
    logs = files(world, service)
    width = max((len(name) for name in logs), default=0) if service is None else 0
    positions = {}
    for number, (name, path) in enumerate(logs.items()):
        text, positions[name] = last_lines(path, lines)
        _print(name, text, number=number, width=width)
    if follow:
        threading.Thread(target=end_with_reader, daemon=True).start()
    while follow:
        for number, (name, path) in enumerate(logs.items()):
            text, positions[name] = read_from(path, positions[name])
            _print(name, text, number=number, width=width)
        time.sleep(POLL_S)


def last_lines(path: Path, count: int) -> tuple[list[str], int]:
    """The last lines, and where they end."""
    end = path.stat().st_size
    with path.open("rb") as log:
        log.seek(max(0, end - BLOCK_BYTES))
        found = log.read(end - log.tell()).decode(errors="replace").splitlines()
    return found[-count:] if count else [], end


def read_from(path: Path, position: int) -> tuple[list[str], int]:
    """The whole lines from there on, and where they end; from the start again where the log was emptied since."""
    if path.stat().st_size < position:
        position = 0
    with path.open("rb") as log:
        log.seek(position)
        whole, newline, _ = log.read().rpartition(b"\n")
    return whole.decode(errors="replace").splitlines(), position + len(whole) + len(newline)


def _print(name: str, lines: list[str], *, number: int, width: int) -> None:
    colour = COLOURS[number % len(COLOURS)]
    for line in lines:
        prefix = f"[{colour}]{name:<{width}}[/{colour}] " if width else ""
        console.print(f"{prefix}{escape(line)}", soft_wrap=True)
