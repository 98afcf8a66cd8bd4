"""
`test`: all that CI runs, stage after stage; a stage that fails does not keep the next from running.

The system tests mostly wait, for checks to fail and processes to come back: they run beside the other stages.
What they are run against is installed before: a world's networks may hide a package index that stands in their range.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from rich.table import Table

from actium_embedded.processes import BIN
from actium_embedded.terminal import console
from actium_embedded.world import CHECKOUT

CODE = ("shared", "services", "deploy", "tests")
TESTS = ("unit", "contract", "fuzz", "integration", "differential", "replay", "system")
WAITING = ("system",)
FIRST = ("peers",)
ALONE = ("bench",)
"""Figures are taken when nothing else runs."""

_PYTEST = (str(BIN / "python"), "-m", "pytest")
LONG_TEST_S = 7200
"""For one test of the long run: there a drill goes through every place where something can die."""

NO_TESTS_FOUND = 5
"""pytest's exit code where a folder has no test yet, or the given words choose none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    name: str
    command: tuple[str, ...]
    accepted: tuple[int, ...] = (0,)
    beside: bool = False
    """Runs while the others do; what it says is shown at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    stage: Stage
    passed: bool
    took_s: float


def stages(pytest_words: Sequence[str]) -> list[Stage]:
    """Cheap ones first."""
    code = [name for name in CODE if (CHECKOUT / name).is_dir()]
    return [
        Stage(name="peers", command=(str(BIN / "python"), "tests/own_environment.py")),
        Stage(name="lint", command=(_tool("ruff"), "check", *code, "actium")),
        Stage(name="format", command=(_tool("ruff"), "format", "--check", *code, "actium")),
        Stage(name="types", command=(_tool("mypy"), *_typed_folders(), "actium")),
        Stage(name="imports", command=(_tool("lint-imports"),)),
        *(_tests(name, pytest_words) for name in TESTS if (CHECKOUT / "tests" / name).is_dir()),
        Stage(name="bench", command=(*_PYTEST, "tests/bench", "-s", *pytest_words), accepted=(0, NO_TESTS_FOUND)),
    ]


def _typed_folders() -> list[str]:
    packages = (path.parent for path in CHECKOUT.glob("*/*/py.typed"))
    deeper = (path.parent for path in CHECKOUT.glob("*/*/*/py.typed"))
    return sorted(str(folder.relative_to(CHECKOUT)) for folder in (*packages, *deeper) if ".venv" not in folder.parts)


def _tests(name: str, pytest_words: Sequence[str]) -> Stage:
    command = (*_PYTEST, f"tests/{name}", *pytest_words)
    return Stage(name=f"{name} tests", command=command, accepted=(0, NO_TESTS_FOUND), beside=name in WAITING)


def _tool(name: str) -> str:
    return str(BIN / name)


def run(stage: Stage, *, long: bool, output: IO[bytes] | None = None) -> Outcome:
    """Run one stage; what it says goes to `output`, or is shown as it comes."""
    if output is None:
        console.rule(f"[bold]{stage.name}", align="left", style="dim")
    began_at = time.monotonic()
    # Services refuse settings that they do not know; what this command was told is not for those that tests start.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACTIUM_")}
    environment = inherited | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    if long:
        environment |= {"TESTS_LONG": "1", "PYTEST_ADDOPTS": f"--timeout {LONG_TEST_S}"}
    done = subprocess.run(
        stage.command,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        check=False,
    )
    return Outcome(stage=stage, passed=done.returncode in stage.accepted, took_s=time.monotonic() - began_at)


@dataclass(frozen=True, slots=True)
class Beside:
    """A stage that runs while others do."""

    stage: Stage
    outcome: Future[Outcome]
    output: IO[bytes]

    def shown(self) -> Outcome:
        """Wait for its end, and show what it said."""
        console.rule(f"[bold]{self.stage.name}[/bold] (begun with the first stage)", align="left", style="dim")
        outcome = self.outcome.result()
        self.output.seek(0)
        console.out(self.output.read().decode(errors="replace"), end="", highlight=False)
        return outcome


def run_all(pytest_words: Sequence[str], *, long: bool) -> bool:
    """Run every stage and say how each went; whether all passed."""
    began_at = time.monotonic()
    known = stages(pytest_words)
    outcomes = [run(stage, long=long) for stage in known if stage.name in FIRST]
    with ThreadPoolExecutor() as threads:
        waiting = [_begin(stage, threads, long=long) for stage in known if stage.beside]
        outcomes += [run(stage, long=long) for stage in known if not stage.beside and stage.name not in FIRST + ALONE]
        outcomes += [beside.shown() for beside in waiting]
    outcomes += [run(stage, long=long) for stage in known if stage.name in ALONE]
    return _summary(outcomes, took_s=time.monotonic() - began_at)


def _begin(stage: Stage, threads: ThreadPoolExecutor, *, long: bool) -> Beside:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - read when the stage has ended
    return Beside(stage, threads.submit(run, stage, long=long, output=output), output)


def _summary(outcomes: Sequence[Outcome], *, took_s: float) -> bool:
    table = Table(box=None, show_header=False, pad_edge=False)
    for outcome in outcomes:
        mark = "[green]✔[/green]" if outcome.passed else "[red]✘[/red]"
        table.add_row(mark, outcome.stage.name, f"{outcome.took_s:.1f} s")
    console.rule("[bold]summary", align="left", style="dim")
    console.print(table)
    failed = [outcome.stage.name for outcome in outcomes if not outcome.passed]
    verdict = f"[red]failed: {', '.join(failed)}[/red]" if failed else "[green]all passed[/green]"
    console.print(f"{verdict} in {took_s:.0f} s")
    return not failed
