"""`up --foreground`: the world stays attached to the terminal, tells what its services say, and goes down with it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from actium_embedded import logs, up
from actium_embedded.down import bring_down
from actium_embedded.terminal import console, escape, is_lost
from actium_embedded.world import World

POLL_S = 0.2
SUPERVISOR_CHECK_EVERY_S = 2.0
LEVELS = {"warning": "yellow", "error": "red", "critical": "red"}
FRAME = ("time", "level", "service", "message", "correlation_id")


def stay(world: World, *, tell: Callable[[World], None]) -> None:
    """
    Show what is said until Ctrl-C, SIGTERM, or the terminal is closed, then take the world down.

    Returns early where somebody else did.
    """
    try:
        tell(world)
        console.print("  [dim]Ctrl-C takes it down[/dim]")
        _follow(world)
        console.print("the world was taken down by another command")
    except BaseException as exc:
        lost = is_lost()
        console.print()
        _take_down(world)
        if not lost and not isinstance(exc, KeyboardInterrupt | SystemExit):
            raise


def _take_down(world: World) -> None:
    """To the end, also where the terminal is closed only now."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with up.at_work_on(world.folder):
        bring_down(world)


def _follow(world: World) -> None:
    """Print new lines until the world has ended; a supervisor that was killed is replaced."""
    positions = {path: path.stat().st_size for path in logs.files(world, None).values()}
    next_look = time.monotonic()
    while True:
        for path in logs.files(world, None).values():
            lines, positions[path] = logs.read_from(path, positions.get(path, 0))
            for line in lines:
                console.print(_readable(path, line), soft_wrap=True)
        if time.monotonic() >= next_look:
            if not up.is_running(world):
                return
            _mend(world)
            next_look = time.monotonic() + SUPERVISOR_CHECK_EVERY_S
        time.sleep(POLL_S)


def _mend(world: World) -> None:
    if not up.is_watched(world):
        with up.at_work_on(world.folder):
            if up.is_running(world):  # and not being taken down by whoever had it in hand before
                up.have_supervisor(world)


def _readable(path: Path, line: str) -> str:
    """A service's line of JSON as words: time, who, what, details; any other line as it is."""
    name = path.stem
    try:
        said = json.loads(line)
        moment, level, message = said["time"][11:23], said["level"], said["message"]
    except (ValueError, TypeError, KeyError):
        return f"[dim]{' ' * 12} {name:<12}[/dim] {escape(line)}"
    colour = LEVELS.get(level, "default")
    return f"[dim]{moment} {name:<12}[/dim] [{colour}]{escape(message)}[/{colour}]{''.join(_details(said))}"


def _details(said: dict[str, object]) -> Iterator[str]:
    for key, value in said.items():
        if key == "exception":
            yield f"\n{escape(str(value))}"
        elif key not in FRAME:
            yield f" [dim]{escape(key)}=[/dim]{escape(str(value))}"
