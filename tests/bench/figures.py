"""What a bench found: values in one unit, told in one line each, all together in a table at the end, and held to limits."""

import math
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

LONG = bool(os.environ.get("TESTS_LONG"))


def repeats(brief: int, long: int) -> int:
    """How often to measure: enough to see that it works, or enough to believe the figure."""
    return long if LONG else brief


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    name: str
    unit: str
    values: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The nearest rank: with few values it is the largest."""
        return sorted(self.values)[math.ceil(0.95 * len(self.values)) - 1]

    def __str__(self) -> str:
        spread = f"p95 {_short(self.p95):>8}" if len(self.values) > 1 else " " * 12
        note = f"  ({self.note})" if self.note else ""
        return f"{self.name:<58} median {_short(self.median):>8}  {spread} {self.unit:<5} n={len(self.values)}{note}"


@dataclass(slots=True)
class Figures:
    """All of one run. A name ending in `[peer]` is what else this machine does in that time."""

    found: list[Figure] = field(default_factory=list)

    def tell(self, name: str, values: Sequence[float], unit: str, *, note: str = "") -> Figure:
        figure = Figure(name=name, unit=unit, values=tuple(values), note=note)
        self.found.append(figure)
        print(f"\n{figure}", end="", flush=True)
        return figure

    def hold(self, name: str, found: float, peer: float, *, most: float) -> None:
        """
        Tell how many times what a peer takes this took, and hold it to a limit.

        Both are to be of the same minute, as a machine that others use slows both down. A limit is some times what is usual: it
        catches what became several times slower, whatever the machine.
        """
        times = found / peer
        self.tell(f"limit: {name}", [times], "times", note=f"at most {most:.2g}")
        assert times <= most, (
            f"{name}: {found:.4g} is {times:.2g} times the peer's {peer:.4g}; at most {most:.2g} are good"
        )


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Add how many milliseconds the block took."""
    began = time.perf_counter()
    yield
    into.append((time.perf_counter() - began) * 1000)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
