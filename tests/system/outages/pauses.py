"""Services that do nothing for a while, and a machine that has no time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from system.outages.drills import Site

LOOPS_PER_CORE = 2


@contextmanager
def paused(site: Site, process: str) -> Iterator[None]:
    """Have one of the world's processes stop where it is, and go on at the end."""
    pid = site.world.pid(process)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def busy() -> Iterator[None]:
    """Keep every core busy, with more than it can do."""
    loops = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
        for _ in range(LOOPS_PER_CORE * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait(10)
