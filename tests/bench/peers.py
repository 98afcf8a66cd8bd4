"""What else this machine does, for scale: a start of a bare program, a write that reaches the disk."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.figures import timed
from system.worlds import free_port

SERVES_WITHIN_S = 10.0
END_WITHIN_S = 5.0


def synced_writes(folder: Path, *, count: int, size_bytes: int = 2048) -> list[float]:
    """Append to a file and wait for the disk each time; milliseconds."""
    took: list[float] = []
    path = folder / "synced"
    with path.open("ab", buffering=0) as file:
        for _ in range(count):
            with timed(took):
                file.write(b"x" * size_bytes)
                os.fsync(file.fileno())
    path.unlink()
    return took


def runs(command: Sequence[str], *, count: int) -> list[float]:
    """Run a program to its end; milliseconds."""
    took: list[float] = []
    for _ in range(count):
        with timed(took):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    return took


def haproxy_starts(folder: Path, *, count: int) -> list[float]:
    """Start a haproxy that knows one listener until it takes a connection; milliseconds."""
    took: list[float] = []
    for _ in range(count):
        port = free_port()
        configuration = folder / "haproxy.cfg"
        configuration.write_text(HAPROXY.format(port=port))
        with timed(took):
            haproxy = serving(["haproxy", "-W", "-f", str(configuration)], port)
            haproxy.__enter__()
        haproxy.__exit__(None, None, None)
    return took


@contextmanager
def serving(command: Sequence[str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Have a program run that listens on this port of loopback."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(port)
        yield process
    finally:
        process.terminate()
        process.wait(END_WITHIN_S)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + SERVES_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nothing listens on {port}"
            time.sleep(0.001)


HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
frontend bench
    bind 127.0.0.1:{port}
    default_backend bench
backend bench
    server one 127.0.0.1:1
"""
