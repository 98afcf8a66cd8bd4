"""Where the commands write to, and whom they ask."""

import os
import select
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from actium_api.cli.client import CliError, OperatorApi

DEFAULT_URL = "http://127.0.0.1:9876"
PLAIN_WIDTH = 240
"""Of tables that no terminal shows: a program or a file has no width."""


class Output(Console):
    """Standard output. A reader who has seen enough (`| head`) ends the command, and that is no failure."""

    def on_broken_pipe(self) -> NoReturn:
        _no_more_output()
        raise SystemExit(0)


output = Output(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
errors = Console(stderr=True, highlight=False)


def api() -> OperatorApi:
    return OperatorApi(os.environ.get("ACTIUM_OPERATOR_URL") or DEFAULT_URL, key=_key())


def _key() -> str | None:
    path = os.environ.get("ACTIUM_OPERATOR_KEY_FILE")
    try:
        return Path(path).read_text().strip() if path else None
    except OSError as exc:
        raise CliError(f"ACTIUM_OPERATOR_KEY_FILE: {exc}") from exc


def write(line: str) -> None:
    """Write one line as it is, at once."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        output.on_broken_pipe()


def end_with_reader() -> None:
    """End the process when nobody can read it any more: a follower may have nothing to write for hours to learn it by."""
    reader = select.poll()
    reader.register(sys.stdout, 0)  # that the other end is gone is told unasked
    reader.poll()
    os._exit(0)


def _no_more_output() -> None:
    """Python flushes standard output once more at its end, and would complain then."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
