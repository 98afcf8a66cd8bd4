"""Where the commands write to, and whom they ask."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from actium_api.cli.client import CliError, OperatorApi
from actium_shared.terminals import let_go_of_output

DEFAULT_URL = "http://127.0.0.1:9876"
PLAIN_WIDTH = 240
"""Of tables that no terminal shows: a program or a file has no width."""


class Output(Console):
    """Standard output. A reader who has seen enough (`| head`) ends the command, and that is no failure."""

    def on_broken_pipe(self) -> NoReturn:
        let_go_of_output()
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
