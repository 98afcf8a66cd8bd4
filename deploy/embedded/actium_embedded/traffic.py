"""Sends requests through a VIP and shows where they went: a live view on a terminal, plain lines elsewhere."""

import http.client
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actium_embedded.errors import WorldError
from actium_embedded.terminal import console, step

TIMEOUT_S = 2.0
PAUSE_S = 0.04
FIRST_ANSWER_WITHIN_S = 30.0
RATE_OVER_S = 3.0
LATENCIES_KEPT = 500
REFRESH_PER_S = 8
PLAIN_LINE_EVERY = 20
BAR_WIDTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    Where requests go. They leave from `source`, the host's address on the VIPs' own network: without it, while the world is
    down, they would leave the machine by its default route.
    """

    address: str
    source: str
    port: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's end. `backend` is None where none answered; `words` say the status or what went wrong."""

    backend: str | None
    words: str
    took_s: float
    at: float

    @property
    def is_good(self) -> bool:
        return self.backend is not None and self.words == "200"


@dataclass(slots=True)
class Tally:
    """What came back so far."""

    backends: Sequence[str]
    counts: Counter[str] = field(default_factory=Counter)
    last: dict[str, Answer] = field(default_factory=dict)
    recent: deque[Answer] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    total: int = 0
    failed: int = 0
    last_failure: str = ""

    def add(self, answer: Answer) -> None:
        self.total += 1
        self.recent.append(answer)
        if answer.backend is not None:
            self.counts[answer.backend] += 1
            self.last[answer.backend] = answer
        if not answer.is_good:
            self.failed += 1
            self.last_failure = answer.words

    def rate(self, backend: str) -> float:
        since = time.monotonic() - RATE_OVER_S
        return sum(1 for answer in self.recent if answer.backend == backend and answer.at > since) / RATE_OVER_S

    def latency_ms(self, share: float) -> float:
        took = sorted(answer.took_s for answer in self.recent)
        return took[min(len(took) - 1, int(len(took) * share))] * 1000 if took else 0.0

    def reached_all(self) -> bool:
        return all(self.counts[backend] for backend in self.backends)


def request(target: Target) -> Answer:
    """One new connection and one GET; whatever goes wrong is an answer too."""
    began_at = time.monotonic()
    connection = http.client.HTTPConnection(
        target.address, target.port, timeout=TIMEOUT_S, source_address=(target.source, 0)
    )
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        backend, words = response.getheader("X-Backend"), str(response.status)
    except (OSError, http.client.HTTPException) as exc:
        backend, words = None, str(exc) or type(exc).__name__
    finally:
        connection.close()
    now = time.monotonic()
    return Answer(backend=backend, words=words, took_s=now - began_at, at=now)


def await_all(target: Target, backends: Sequence[str]) -> None:
    """
    Wait until each back end has answered once: a new member serves when its first checks have passed.

    Raises:
        WorldError: not all did in time.
    """
    with step(f"first answers from http://{target.address}/") as current:
        tally = Tally(backends=backends)
        deadline = time.monotonic() + FIRST_ANSWER_WITHIN_S
        while not tally.reached_all():
            if time.monotonic() > deadline:
                missing = [backend for backend in backends if not tally.counts[backend]]
                raise WorldError(f"no answer from {', '.join(missing)} through {target.address}; {_last_words(tally)}")
            tally.add(request(target))
            current.says(_last_words(tally))
            time.sleep(PAUSE_S)
        current.says(", ".join(backends))


def _last_words(tally: Tally) -> str:
    return f"last: {tally.recent[-1].backend or ''} {tally.recent[-1].words}".replace("  ", " ") if tally.recent else ""


def show(target: Target, backends: Sequence[str], *, requests: int | None) -> Tally:
    """Send until Ctrl-C, or as many as asked, and show what comes back."""
    tally = Tally(backends=backends)
    try:
        if console.is_terminal:
            _show_live(target, tally, requests)
        else:
            _show_plainly(target, tally, requests)
    except KeyboardInterrupt:
        pass  # how a person ends it; the tally stands
    return tally


def _answers(target: Target, requests: int | None) -> Iterator[Answer]:
    sent = 0
    while requests is None or sent < requests:
        yield request(target)
        sent += 1
        time.sleep(PAUSE_S)


def _show_live(target: Target, tally: Tally, requests: int | None) -> None:
    with Live(view(target, tally), console=console, auto_refresh=False) as live:
        shown_at = 0.0
        for answer in _answers(target, requests):
            tally.add(answer)
            if answer.at - shown_at > 1 / REFRESH_PER_S:
                live.update(view(target, tally), refresh=True)
                shown_at = answer.at
        live.update(view(target, tally), refresh=True)


def _show_plainly(target: Target, tally: Tally, requests: int | None) -> None:
    for answer in _answers(target, requests):
        tally.add(answer)
        if tally.total % PLAIN_LINE_EVERY == 0 and tally.total != requests:
            console.print(summary(tally))


def summary(tally: Tally) -> str:
    counts = ", ".join(f"{backend} {tally.counts[backend]}" for backend in tally.backends)
    return f"{tally.total} requests: {counts}, failed {tally.failed}; {_latencies(tally)}"


def _latencies(tally: Tally) -> str:
    return f"median {tally.latency_ms(0.5):.1f} ms, p95 {tally.latency_ms(0.95):.1f} ms"


def view(target: Target, tally: Tally) -> Group:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("back end")
    for column in ("answers", "per second"):
        table.add_column(column, justify="right")
    table.add_column("share", width=BAR_WIDTH)
    table.add_column("last", justify="right")
    others = [name for name in tally.counts if name not in tally.backends]
    for name in (*tally.backends, *others):
        table.add_row(name, str(tally.counts[name]), f"{tally.rate(name):.1f}", _share(tally, name), _last(tally, name))
    failed = f"[red]{tally.failed} failed[/red] (last: {tally.last_failure})" if tally.failed else "none failed"
    head = Text.from_markup(
        f"\n[bold]http://{target.address}/[/bold]  {tally.total} requests, {failed}; {_latencies(tally)}\n"
    )
    return Group(head, table, Text.from_markup("\n[dim]Ctrl-C ends the requests[/dim]"))


def _share(tally: Tally, name: str) -> ProgressBar:
    return ProgressBar(total=max(1, tally.total), completed=tally.counts[name], width=BAR_WIDTH, complete_style="cyan")


def _last(tally: Tally, name: str) -> Text:
    last = tally.last.get(name)
    if last is None:
        return Text("-", style="dim")
    stale = time.monotonic() - last.at > RATE_OVER_S
    return Text(last.words, style="dim" if stale else "green" if last.is_good else "red")
