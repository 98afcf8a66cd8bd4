"""Small files of the world: written whole or not at all, and only when their content changes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from time import monotonic, sleep

from actium_embedded.errors import WorldError

LOCK_POLL_S = 0.1


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace the file so that a reader, or a kill -9, finds the old content or the new."""
    if path.exists() and path.read_bytes() == content and path.stat().st_mode & 0o777 == mode:
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path, *, wait_s: float, busy: str) -> Iterator[None]:
    """
    Hold the file's lock, which the kernel drops when its holder dies.

    Raises:
        WorldError: `busy`, when another process still holds it after `wait_s`.
    """
    deadline = monotonic() + wait_s
    with path.open("a") as stream:
        while not try_lock(stream.fileno()):
            if monotonic() > deadline:
                raise WorldError(busy)
            sleep(LOCK_POLL_S)
        yield


def try_lock(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
