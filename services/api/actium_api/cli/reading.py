"""Reading the stream of events, across restarts of the API: none twice and none left out."""

import json
import time
from collections.abc import Callable, Iterator, Mapping

import httpx

from actium_api.cli.client import CliError, OperatorApi, Query, refusal

PATH = "/operator/v1/events"
START_HEADER = "X-Actium-From"
RETRY_FOR_S = 30.0
"""A service that is restarted is back long before."""

RETRY_EVERY_S = 0.25


class Reader:
    """One reading. `lost` is told when the connection is, while following; then it is gone on where it was."""

    def __init__(
        self, api: OperatorApi, query: Query, *, lost: Callable[[], None], retry_for_s: float = RETRY_FOR_S
    ) -> None:
        self._api = api
        self._query = query
        self._lost = lost
        self._retry_for_s = retry_for_s
        self._follows = query.get("follow") == "true"
        self._place: dict[str, int] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._give_up_at: float | None = None

    def lines(self) -> Iterator[str]:
        """
        Give the lines as they come.

        Raises:
            CliError: no answer, for too long, or a refusal.
        """
        while True:
            try:
                yield from self._stream()
            except httpx.HTTPError as exc:
                if not self._follows or not self._place:
                    raise self._api.unreachable(exc) from exc
                self._again_or_give_up(self._api.unreachable(exc))
            else:
                if not self._follows:
                    return
            time.sleep(RETRY_EVERY_S)

    def _again_or_give_up(self, error: CliError) -> None:
        now = time.monotonic()
        if self._give_up_at is None:
            self._give_up_at = now + self._retry_for_s
            self._lost()
        elif now > self._give_up_at:
            raise error

    def _stream(self) -> Iterator[str]:
        query = {**self._query, "from": _written(self._place)} if self._place else self._query
        with self._api.stream(PATH, query) as answer:
            self._check(answer)
            self._give_up_at = None
            self._place = _read(answer.headers.get(START_HEADER, ""))
            for line in _split(answer.iter_bytes()):
                if self._is_new(line):
                    yield line

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.OK:
            return
        answer.read()
        if answer.is_server_error:
            answer.raise_for_status()
        raise CliError(refusal(answer))

    def _is_new(self, line: str) -> bool:
        """A commit of several events may have been cut in two, so it is read again and the events seen are left out."""
        event = json.loads(line)
        stream, _, sequence = event["position"].rpartition(":")
        place = (int(sequence), int(event["index"]))
        if place <= self._seen.get(stream, (0, -1)):
            return False
        self._seen[stream] = place
        self._place[stream] = place[0]
        return True


def _split(chunks: Iterator[bytes]) -> Iterator[str]:
    """Split at line feeds and nowhere else: a tenant's text may hold what Unicode calls a line's end."""
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in complete)


def _read(positions: str) -> dict[str, int]:
    parts = (part.rpartition(":") for part in positions.split(",") if part)
    return {stream: int(sequence) for stream, _, sequence in parts}


def _written(positions: Mapping[str, int]) -> str:
    return ",".join(f"{stream}:{sequence}" for stream, sequence in positions.items())
