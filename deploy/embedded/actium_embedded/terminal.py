"""How the world speaks to a person: steps with ticks and times on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich import markup
from rich.console import Console
from rich.status import Status

from actium_shared.terminals import clean_lines, is_read, let_go_of_output

PLAIN_WIDTH = 160
"""Of tables that go to a file or a pipe, where no window cuts them."""

MARGIN = 7
"""Of a finished step: its mark, and the blanks around title, detail and time."""


class Output(Console):
    """Standard output. A reader who has seen enough (`| head`) ends the command, and that is no failure."""

    def on_broken_pipe(self) -> NoReturn:
        let_go_of_output()
        raise SystemExit(0)


console = Output(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
errors = Console(stderr=True, highlight=False)


def escape(text: str) -> str:
    """Have text shown as it is, whoever wrote it: neither markup nor control characters do anything."""
    return markup.escape(clean_lines(text))


def is_lost() -> bool:
    """Say whether nobody reads us any more; from then on, what is said goes nowhere."""
    if is_read():
        return False
    let_go_of_output()
    return True


class Step:
    """One step under way; `says` shows what it is doing now."""

    def __init__(self, title: str, status: Status | None) -> None:
        self.title = title
        self.status = status
        self.detail = ""

    def says(self, detail: str) -> None:
        self.detail = detail
        if self.status:
            self.status.update(f"{escape(self.title)} [dim]{escape(detail)}[/dim]")


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a step from begin to end. It does not hide an error: it marks the step and lets it pass."""
    began_at = time.monotonic()
    status = console.status(escape(title)) if console.is_terminal else None
    current = Step(title, status)
    if status:
        status.start()
    try:
        yield current
    except BaseException:
        _finish(current, status, mark="[red]✘[/red]", began_at=began_at)
        raise
    _finish(current, status, mark="[green]✔[/green]", began_at=began_at)


def _finish(current: Step, status: Status | None, *, mark: str, began_at: float) -> None:
    if status:
        status.stop()
    took = f"{time.monotonic() - began_at:.1f} s"
    beside = len(current.title) + len(current.detail) + len(took) + MARGIN <= console.width
    detail = f" [dim]{escape(current.detail)}[/dim]" if current.detail else ""
    console.print(f"  {mark} {escape(current.title)}{detail if beside else ''} [dim]{took}[/dim]", soft_wrap=True)
    if not beside:
        console.print(f"   {detail}", soft_wrap=True)


def stop_with(sentence: str) -> None:
    errors.print(f"[red]✘[/red] {escape(sentence)}" if errors.is_terminal else escape(sentence), soft_wrap=True)
    sys.exit(1)


def ago(since: float) -> str:
    """How long ago, in the largest fitting unit."""
    seconds = max(0.0, time.time() - since)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
