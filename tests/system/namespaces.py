"""Into network namespaces: what is made inside one, `ip`, and looking until something is so."""

import ctypes
import http.client
import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def _enter(namespace: str) -> None:
    fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    failed = _LIBC.setns(fd, CLONE_NEWNET)
    os.close(fd)
    if failed:
        raise OSError(ctypes.get_errno(), f"setns {namespace}")


def inside(namespace: str, make: Callable[[], T]) -> T:
    """What `make` returns, made by a thread in that network namespace: a socket stays where it was born."""
    results: list[T] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            _enter(namespace)
            results.append(make())
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    if failures:
        raise failures[0]
    return results[0]


def eventually(look: Callable[[], T], *, deadline_s: float = 5.0) -> T:
    """The first true value of `look`; what it last gave, or raised, where none comes in time."""
    end = time.monotonic() + deadline_s
    while True:
        try:
            value: Any = look()
        except (OSError, AssertionError, http.client.HTTPException) as exc:
            value = exc
        if value and not isinstance(value, Exception):
            return value  # type: ignore[no-any-return]
        assert time.monotonic() < end, f"not in {deadline_s} s; last: {value!r}"
        time.sleep(0.005)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
