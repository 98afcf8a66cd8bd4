"""What the demo counts, and that a request's every end is an answer."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from actium_embedded import demo, traffic
from actium_embedded.traffic import Answer, Tally, Target


def answer(backend: str | None = "web-a", words: str = "200", took_s: float = 0.001) -> Answer:
    return Answer(backend=backend, words=words, took_s=took_s, at=time.monotonic())


def on_loopback(port: int) -> Target:
    return Target(address="127.0.0.1", source="127.0.0.1", port=port)


def test_tally_counts_answers_and_failures_apart() -> None:
    tally = Tally(backends=["web-a", "web-b"])
    for each in (answer(), answer("web-b"), answer("web-b"), answer(None, "timed out"), answer("web-a", "500")):
        tally.add(each)
    assert (tally.total, tally.failed, tally.last_failure) == (5, 2, "500")
    assert tally.counts == {"web-a": 2, "web-b": 2}


def test_plain_lines_do_not_end_with_the_summary_that_follows(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    traffic.show(on_loopback(port), ["web-a"], requests=2 * traffic.PLAIN_LINE_EVERY)
    assert capsys.readouterr().out.count("requests: ") == 1


def test_all_are_reached_when_each_has_answered() -> None:
    tally = Tally(backends=["web-a", "web-b"])
    tally.add(answer("web-a"))
    assert not tally.reached_all()
    tally.add(answer("web-b"))
    assert tally.reached_all()


def test_latency_is_of_the_asked_share() -> None:
    tally = Tally(backends=["web-a"])
    for milliseconds in range(1, 101):
        tally.add(answer(took_s=milliseconds / 1000))
    assert tally.latency_ms(0.5) == pytest.approx(51)
    assert tally.latency_ms(0.95) == pytest.approx(96)
    assert Tally(backends=[]).latency_ms(0.5) == 0


def test_refused_connection_is_an_answer_in_words() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    refused = traffic.request(on_loopback(port))
    assert refused.backend is None
    assert "refused" in refused.words


def test_answer_carries_the_back_end_and_the_status() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.send_header("X-Backend", "web-a")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        got = traffic.request(on_loopback(server.server_port))
        server.shutdown()
    assert (got.backend, got.words, got.is_good) == ("web-a", "503", False)


@pytest.mark.parametrize(
    ("keep", "down", "said", "ends"),
    [
        (True, False, "t", False),
        (False, True, "l", True),
        (False, False, "tear it down", True),
        (False, False, "", False),
        (False, False, None, False),
    ],
)
def test_end_of_the_demo_is_as_told_or_as_answered(keep: bool, down: bool, said: str | None, ends: bool) -> None:
    ask = None if said is None else lambda _: said
    assert demo.wants_down(keep=keep, down=down, ask=ask) is ends


@pytest.mark.parametrize("instead", [KeyboardInterrupt, EOFError])
def test_a_question_that_is_not_answered_leaves_all_running(instead: type[BaseException]) -> None:
    def ask(_: str) -> str:
        raise instead

    assert demo.wants_down(keep=False, down=False, ask=ask) is False


def test_nothing_leaves_by_another_way_while_the_source_address_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        port = listening.getsockname()[1]
        got = traffic.request(Target(address="127.0.0.1", source="192.0.2.77", port=port))
        with pytest.raises(TimeoutError):
            listening.accept()
    assert (got.backend, got.is_good) == (None, False)
