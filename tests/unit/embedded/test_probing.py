"""The prober: what it counts, and the gaps that it sees."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from actium_embedded.probing import Seen, probing

DEADLINE_S = 10.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na"


class Origin:
    """Answers each connection, unless it is silent: then it hangs."""

    def __init__(self) -> None:
        self.answer = ANSWER
        self.silent = False
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        kept = []
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            if self.silent:
                kept.append(connection)
                continue
            with connection:
                connection.recv(4096)
                connection.sendall(self.answer)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


def wait_for_answers(seen: Seen, more: int) -> None:
    wanted, deadline = len(seen.answered_at) + more, time.monotonic() + DEADLINE_S
    while len(seen.answered_at) < wanted:
        assert time.monotonic() < deadline, f"{len(seen.answered_at)} of {wanted} answers"
        time.sleep(0.005)


def test_requests_are_answered_one_after_the_other(origin: Origin) -> None:
    with probing("127.0.0.1", origin.port) as seen:
        wait_for_answers(seen, 50)
    assert seen.failed == 0
    assert seen.asked >= 50


def test_a_server_that_hangs_makes_a_gap_as_long_as_it_hung(origin: Origin) -> None:
    with probing("127.0.0.1", origin.port) as seen:
        wait_for_answers(seen, 10)
        hung_at = time.monotonic()
        origin.silent = True
        time.sleep(0.3)  # what is measured is this time
        origin.silent = False
        wait_for_answers(seen, 10)
    assert seen.failed > 0
    assert seen.gap_ms(since=hung_at - 0.1) >= 290


def test_an_error_is_no_answer(origin: Origin) -> None:
    origin.answer = ANSWER.replace(b"200 OK", b"503 No")
    with probing("127.0.0.1", origin.port) as seen:
        deadline = time.monotonic() + DEADLINE_S
        while seen.failed < 5:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert seen.answered_at == []
    assert seen.gap_ms() == 0.0
