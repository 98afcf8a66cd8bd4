"""How a stream of lines ends: by itself, by a reader who goes, by one who takes nothing, by a fault."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actium_api.operator.ndjson import Emit, NdjsonResponse

Message = dict[str, Any]
SCOPE = {"type": "http"}


async def stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> Message:
    return {"type": "http.disconnect"}


async def respond(
    tell: Callable[[Emit], Awaitable[None]], *, receive: Callable[[], Awaitable[Message]] = stays
) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(5):
        await NdjsonResponse(tell)(SCOPE, receive, send)
    return sent


async def test_lines_are_sent_and_the_body_ended() -> None:
    async def tell(emit: Emit) -> None:
        await emit({"a": 1})
        await emit({"b": None})

    head, opened, *lines, end = await respond(tell)
    assert head["status"] == 200
    assert (b"content-type", b"application/x-ndjson") in head["headers"]
    assert opened["body"] == b""
    assert [line["body"] for line in lines] == [b'{"a":1}\n', b'{"b":null}\n']
    assert end["more_body"] is False


async def test_a_reader_who_goes_ends_it_though_there_is_always_a_next_line() -> None:
    async def tell(emit: Emit) -> None:
        for number in range(1_000_000):
            await emit(number)

    assert len(await respond(tell, receive=leaves)) < 100


async def test_a_reader_who_goes_ends_it_and_what_was_open_is_closed() -> None:
    closed: list[str] = []

    async def tell(emit: Emit) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # closing awaits, too
            closed.append("consumer")

    await respond(tell, receive=leaves)
    assert closed == ["consumer"]


async def test_a_reader_who_takes_nothing_has_the_stream_ended_also_from_within_a_group_of_tasks() -> None:
    async def send(message: Message) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    async def tell(emit: Emit) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            await emit({"a": 1})

    async with asyncio.timeout(5):
        await NdjsonResponse(tell, send_timeout_s=0.01)(SCOPE, stays, send)


async def test_a_fault_is_not_hidden() -> None:
    async def tell(_emit: Emit) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await respond(tell)


async def test_a_service_that_stops_ends_it_properly() -> None:
    stopping = asyncio.Event()
    sent: list[Message] = []

    async def tell(emit: Emit) -> None:
        await emit({"a": 1})
        stopping.set()
        await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(5):
        await NdjsonResponse(tell, stopping=stopping)(SCOPE, stays, send)
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
