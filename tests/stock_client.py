"""
The stock `openstack` command, without its start: a process that has read its modules forks one that runs the command.

What runs is PyPI's client from its entry point on, in a process of its own with the environment and the words given.
Reading its modules takes it over a second each time, and the tests run it a hundred times.
"""

import contextlib
import gc
import inspect
import io
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TIMEOUT_S = 120
STANDARD_OUT, STANDARD_ERR = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    """As of a shell: what the client exited with; below zero the signal that ended it."""
    out: str
    err: str


def openstack(environment: Mapping[str, str], *words: str) -> Ran:
    """Run one command with nothing in its environment but what is given, and its PATH and HOME."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return _forks().run(kept | dict(environment), words)


@cache
def _forks() -> "_Forks":
    return _Forks()


class _Forks:
    """The other side of `serve`; ends with the process that uses it, as its standard input does."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, environment: dict[str, str], words: tuple[str, ...]) -> Ran:
        with tempfile.TemporaryDirectory() as folder:
            wish = {"environment": environment, "words": words, "folder": folder}
            code = self._ask(json.dumps(wish))
            out, err = ((Path(folder) / name).read_text() for name in ("out", "err"))
        return Ran(code=code, out=out, err=err)

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


def serve() -> None:
    """Read a wish a line, and answer each with the code that its command exited with."""
    _read_modules()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _read_modules() -> None:
    """Have the client read all that it needs, by a command that finds nobody."""
    from keystoneauth1.loading._plugins.identity import v3  # noqa: F401 - only read here, used by the commands
    from openstackclient import shell

    nobody = ["--os-auth-type", "none", "--os-endpoint", "http://127.0.0.1:9/"]
    with contextlib.redirect_stderr(io.StringIO()):
        shell.main([*nobody, "loadbalancer", "list", "-f", "json"])
    _forget_nobody()
    gc.collect()
    gc.freeze()


def _forget_nobody() -> None:
    """Have the next command make its own clients and handlers of logs: both outlive the command that made them."""
    from openstackclient.common.clientmanager import ClientManager
    from osc_lib.clientmanager import ClientCache

    for name in dir(ClientManager):
        made = inspect.getattr_static(ClientManager, name)
        if isinstance(made, ClientCache):
            made._handle = None
    logging.getLogger().handlers.clear()


def _become(wish: dict[str, Any]) -> None:
    """Be the process of one command, to its end."""
    from openstackclient import shell

    signal.alarm(TIMEOUT_S)
    for name, number in (("out", STANDARD_OUT), ("err", STANDARD_ERR)):
        os.dup2(os.open(Path(wish["folder"]) / name, os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(wish["environment"])
    code = 1
    try:
        code = shell.main(wish["words"])
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
