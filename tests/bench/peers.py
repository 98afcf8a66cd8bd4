"""What else this machine does, to compare with: a bare program's start, a bare server's answers, writes that reach the disk."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from actium_shared.testing.nats_server import NatsServer
from bench.figures import timed
from system.worlds import free_port

SERVES_WITHIN_S = 10.0
END_WITHIN_S = 5.0
STORED_WITHIN_S = 10.0
STORED_BYTES = 2048
HELLO = """
import asyncio, uvicorn
BODY = b"x" * 600
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"600")]})
    await send({"type": "http.response.body", "body": BODY})
uvicorn.run(app, port=%d, lifespan="off", log_config=None, access_log=False)
"""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Appends:
    """`took_ms` of each, and how many there were a second."""

    took_ms: list[float]
    per_s: float


async def appends(folder: Path, *, count: int, at_once: int = 1) -> Appends:
    """Append to a stream that is synced to disk, of a nats-server that serves nobody else: the least that a commit takes."""
    server = NatsServer(folder / f"bare-{uuid4()}", sync_always=True)
    server.start()
    took: list[float] = []
    try:
        async with server.bus("network") as bus:

            async def append(each: int) -> None:
                for _ in range(each):
                    with timed(took):
                        subject = f"evt.network.vip.{uuid4()}"
                        await bus.store(subject, os.urandom(STORED_BYTES), headers={}, timeout_s=STORED_WITHIN_S)

            began = time.perf_counter()
            await asyncio.gather(*(append(count // at_once) for _ in range(at_once)))
            return Appends(took_ms=took, per_s=len(took) / (time.perf_counter() - began))
    finally:
        server.stop()


@contextmanager
def hello() -> Iterator[str]:
    """Have a bare server that answers everything with the same 600 bytes; gives its address."""
    port = free_port()
    with serving([sys.executable, "-c", HELLO % port], port):
        yield f"http://127.0.0.1:{port}/"


def checks(folder: Path, *, count: int) -> list[float]:
    """Have a bare haproxy look at a configuration of one listener: the least that a change by a reload takes; milliseconds."""
    configuration = folder / "checked.cfg"
    configuration.write_text(HAPROXY.format(port=free_port()))
    return runs(["haproxy", "-c", "-f", str(configuration)], count=count)


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
