"""A reader of the log goes on after the connection was lost: no event twice, none left out."""

import json
from collections.abc import Iterator

import httpx
import pytest

from actium_api.cli.client import CliError, OperatorApi
from actium_api.cli.reading import Reader

Part = tuple[str, list[tuple[int, int]], bool]
"""A connection's life: where it says that it begins, the (sequence, index) that it gives, whether it then breaks."""


def body(events: list[tuple[int, int]], *, breaks: bool) -> Iterator[bytes]:
    for sequence, index in events:
        name = "a\u2028b"
        yield json.dumps({"position": f"S:{sequence}", "index": index, "name": name}, ensure_ascii=False).encode()
        yield b"\n"
    if breaks:
        raise httpx.ReadError("reset")


def reader(parts: list[Part], asked: list[str], *, follow: bool, told: list[str]) -> Reader:
    remaining = iter(parts)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("from", ""))
        part = next(remaining, None)
        if part is None:
            raise httpx.ConnectError("refused")
        begin, events, breaks = part
        return httpx.Response(200, headers={"X-Actium-From": begin}, content=body(events, breaks=breaks))

    api = OperatorApi("http://127.0.0.1:1")
    api._client = httpx.Client(base_url=api.url, transport=httpx.MockTransport(answer))
    query = {"follow": "true" if follow else "false"}
    return Reader(api, query, lost=lambda: told.append("lost"), retry_for_s=0.2)


def places(lines: list[str]) -> list[tuple[str, int]]:
    return [(event["position"], event["index"]) for event in map(json.loads, lines)]


def test_a_commit_that_was_cut_in_two_is_gone_on_with_inside() -> None:
    asked: list[str] = []
    told: list[str] = []
    parts: list[Part] = [("S:5,T:2", [(5, 0), (6, 0)], True), ("S:6,T:2", [(6, 0), (6, 1), (7, 0)], True)]
    seen: list[str] = []
    lines = reader(parts, asked, follow=True, told=told).lines()
    with pytest.raises(CliError, match="Nothing answers"):
        seen.extend(lines)
    assert places(seen) == [("S:5", 0), ("S:6", 0), ("S:6", 1), ("S:7", 0)]
    assert asked[:3] == ["", "S:6,T:2", "S:7,T:2"]
    assert told == ["lost", "lost"]


def test_who_does_not_follow_is_told_that_the_answer_was_cut() -> None:
    with pytest.raises(CliError, match="did not answer in full"):
        list(reader([("S:1", [(1, 0)], True)], [], follow=False, told=[]).lines())


def test_an_end_is_an_end_for_who_does_not_follow() -> None:
    assert places(list(reader([("S:1", [(1, 0)], False)], [], follow=False, told=[]).lines())) == [("S:1", 0)]
