"""
A client that asks every five milliseconds, each time by a new connection, and says when it was answered. Run as a program.

It does not wait for one answer before it asks again: an outage shows as the time without any answer, and nothing else slows it.
"""

import selectors
import socket
import sys
import time

PERIOD_S = 0.005
PATIENCE_S = 0.05
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def main(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    began: dict[socket.socket, float] = {}
    next_at = time.monotonic()
    while True:
        now = time.monotonic()
        while next_at <= now:
            link = _ask(family, (address, port))
            if link is not None:
                selector.register(link, selectors.EVENT_WRITE)
                began[link] = now
            next_at += PERIOD_S
        for link in [link for link, at in began.items() if now - at > PATIENCE_S]:
            _drop(selector, began, link)
        for key, events in selector.select(max(0.0, next_at - time.monotonic())):
            if key.fileobj is sys.stdin:
                return
            assert isinstance(key.fileobj, socket.socket)
            if _progress(selector, key.fileobj, events):
                _drop(selector, began, key.fileobj)


def _ask(family: int, where: tuple[str, int]) -> socket.socket | None:
    link = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        link.connect(where)
    except BlockingIOError:
        return link
    except OSError:
        link.close()
        return None
    return link


def _progress(selector: selectors.BaseSelector, link: socket.socket, events: int) -> bool:
    """Whether the conversation is over."""
    try:
        if events & selectors.EVENT_WRITE:
            link.send(REQUEST)
            selector.modify(link, selectors.EVENT_READ)
            return False
        answer = link.recv(4096)
    except OSError:
        return True
    if b" 200 " in answer[:20]:
        print(f"{time.monotonic():.4f}", flush=True)
    return True


def _drop(selector: selectors.BaseSelector, began: dict[socket.socket, float], link: socket.socket) -> None:
    selector.unregister(link)
    began.pop(link)
    link.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
