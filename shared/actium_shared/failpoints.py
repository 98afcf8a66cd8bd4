"""
Places where a test may end a process with SIGKILL: every append, order, table write and effect, before and after.

Off unless the setting `failpoints_folder` names a folder; then each process notes the points it passes in
`<service>.passed`, one a line, and kills where `<service>.kill` says: `<point> <n> [<pid>]`, at the n-th
passing, itself unless a pid is given.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Failpoints:
    """One process's failpoints; `FAILPOINTS` is armed at start, or never."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._service = ""
        self._passed: Counter[str] = Counter()

    @property
    def armed(self) -> bool:
        return self._folder is not None

    def arm(self, folder: Path, service: str) -> None:
        """Begin to note points, and to die where it is asked for."""
        self._folder, self._service = folder, service
        folder.mkdir(parents=True, exist_ok=True)

    def reach(self, point: str) -> None:
        """Pass the point, or die at it. Costs nothing while not armed."""
        if self._folder is None:
            return
        self._passed[point] += 1
        with (self._folder / f"{self._service}.passed").open("a") as notes:
            notes.write(point + "\n")
        wish = self._folder / f"{self._service}.kill"
        try:
            name, number, *pid = wish.read_text().split()
        except FileNotFoundError:
            return
        if name == point and self._passed[point] >= int(number):
            wish.unlink()  # once: the process that comes after it shall live
            os.kill(int(pid[0]) if pid else os.getpid(), signal.SIGKILL)

    def guard(self, port: T, name: str) -> T:
        """Give `port` with a point before and after each of its coroutine methods; itself while not armed."""
        return cast("T", _Guarded(self, port, name)) if self.armed else port


class _Guarded:
    def __init__(self, failpoints: Failpoints, port: object, name: str) -> None:
        self._failpoints, self._port, self._name = failpoints, port, name

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if not callable(found):
            return found
        return self._around(found, f"{self._name}.{method}")

    def _around(self, call: Callable[..., Any], point: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            return self._awaited(result, point) if isinstance(result, Awaitable) else result

        return run

    async def _awaited(self, result: Awaitable[Any], point: str) -> Any:
        self._failpoints.reach(f"{point}.before")
        outcome = await result
        self._failpoints.reach(f"{point}.after")
        return outcome


FAILPOINTS = Failpoints()
