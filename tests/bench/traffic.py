"""A client of the load balancer that is quick to notice: new connections in a tight loop, each answer with its time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
PATIENCE_S = 0.1
PAUSE_S = 0.0005


@dataclass(frozen=True, slots=True)
class Seen:
    """`at` is when it was seen, in seconds of `time.time`, which the log's times are on as well."""

    at: float
    what: str


def ask(address: str) -> str:
    """Give the name of the back end that answers, from the host's address on the public network; empty where none does."""
    host = address.rpartition(".")[0] + ".2"
    with suppress(OSError):
        with socket.create_connection((address, 80), timeout=PATIENCE_S, source_address=(host, 0)) as connection:
            connection.sendall(REQUEST)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return body.decode().strip() if head.startswith(b"HTTP/1.1 200") else ""
    return ""


@contextmanager
def watching(look: Callable[[], str]) -> Iterator[list[Seen]]:
    """Look again and again until the block ends; gives what was seen, which grows meanwhile."""
    seen: list[Seen] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(Seen(what=look(), at=time.time()))
            time.sleep(PAUSE_S)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(10)
