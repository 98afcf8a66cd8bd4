"""HTTP as our API speaks it, on a socket: what clients send that is unusual, and how answers are written."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from actium_api.http_protocol import BEHIND_MOST, HEAD_BYTES_MOST, InOnePiece, PausedBehind, Protocol
from actium_shared.telemetry import JsonFormatter

WAIT_S = 10.0


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with method, path and body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    said = f"{scope['method']} {scope['path']} {body.decode()}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


async def tell_headers(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the names of the headers that begin with an x, when the body has come."""
    while (await receive()).get("more_body", False):
        pass
    said = b" ".join(name for name, _ in scope["headers"] if name.startswith(b"x-"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


async def in_two_parts(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"two"})


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def sends(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self) -> tuple[int, bytes]:
        """Give status and body of the next answer."""
        async with asyncio.timeout(WAIT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            (length,) = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")]
            return int(head.split()[1]), await self.reader.readexactly(length)


@asynccontextmanager
async def a_client(app: Any = echo) -> AsyncIterator[Client]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=Protocol, ws="none", lifespan="off", log_config=None))
    config = server.config
    config.load()
    listening = await asyncio.get_running_loop().create_server(
        lambda: Protocol(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        listening.close()


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"something/1"])
async def test_who_offers_another_protocol_is_answered_in_this_one_body_and_all(offer: bytes) -> None:
    head = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMA\r\n"
    )
    async with a_client() as client:
        for body in (b"first", b"second"):
            client.sends(head % offer + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            assert await client.hears() == (200, b"POST /a " + body)


async def test_a_body_that_comes_behind_such_a_head_is_waited_for() -> None:
    async with a_client() as client:
        client.sends(
            b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 6\r\n\r\nbo"
        )
        await asyncio.sleep(0)
        client.sends(b"dies")
        assert await client.hears() == (200, b"POST /a bodies")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: h2c\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade:\r\n",
        b"POST /a HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
    ],
)
async def test_however_it_is_offered(head: bytes) -> None:
    async with a_client() as client:
        client.sends(head + b"Content-Length: 4\r\n\r\nbody")
        assert await client.hears() == (200, b"POST /a body")


@pytest.mark.parametrize(
    "next_one",
    [b"GET /2 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", b"nonsense\r\n\r\n"],
)
async def test_what_cannot_be_answered_in_turn_ends_the_connection_behind_what_was_asked_before(
    next_one: bytes,
) -> None:
    async with a_client() as client:
        client.sends(b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\nGET /1 HTTP/1.1\r\nHost: x\r\n\r\n" + next_one)
        assert [await client.hears() for _ in range(2)] == [(200, b"GET /0 "), (200, b"GET /1 ")]
        assert await client.reader.read() == b""


async def test_only_so_many_requests_wait_behind_one() -> None:
    async with a_client() as client:
        client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2 * BEHIND_MOST)
        assert [await client.hears() for _ in range(1 + BEHIND_MOST)] == [(200, b"GET / ")] * (1 + BEHIND_MOST)
        assert await client.reader.read() == b""


async def test_who_is_answered_without_end_while_others_wait_behind_it_learns_that_the_client_left() -> None:
    left = asyncio.Event()

    async def endless(_scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

        listening = asyncio.create_task(listen())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not left.is_set():
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
            await asyncio.sleep(0)
        await listening

    async with a_client(endless) as client:
        client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        async with asyncio.timeout(WAIT_S):
            await client.reader.readuntil(b"more")
            client.writer.close()
            await left.wait()


async def test_a_client_of_http_1_0_is_sent_no_chunks() -> None:
    async with a_client(in_two_parts) as client:
        client.sends(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = (await client.reader.read()).partition(b"\r\n\r\n")
        assert (b"chunked" in head.lower(), body) == (False, b"onetwo")


async def test_only_the_first_line_says_which_version_it_is() -> None:
    async with a_client() as client:
        for piece in (b"GET /a HTTP/1.1\r\nHost: x\r\nVia:", b" HTTP/1.0\r\n\r\n"):
            client.sends(piece)
            for _ in range(10):
                await asyncio.sleep(0)
        assert await client.hears() == (200, b"GET /a ")


async def test_requests_on_one_connection_are_answered_in_their_order() -> None:
    async with a_client() as client:
        client.sends(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5)))
        assert [await client.hears() for _ in range(5)] == [(200, b"GET /%d " % number) for number in range(5)]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"nonsense\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nrubbish\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(rubbish: bytes) -> None:
    async with a_client() as client:
        client.sends(rubbish)
        assert (await client.hears())[0] == 400
        assert await client.reader.read() == b""


@pytest.mark.parametrize(
    "rubbish",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.0\r\nbad header: 1\r\n\r\n"],
    ids=["no HTTP", "no host", "HTTP/1.0"],
)
async def test_what_is_refused_unread_has_a_requests_id_too_and_the_log_knows_it(
    rubbish: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonFormatter("api"))
    with caplog.at_level(logging.INFO, logger="actium_api"):
        async with a_client() as client:
            client.sends(rubbish)
            async with asyncio.timeout(WAIT_S):
                lines = (await client.reader.read()).decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 400 ")
    told = [line.removeprefix("x-openstack-request-id: ") for line in lines if line.startswith("x-openstack")]
    logged = [json.loads(line) for line in caplog.text.splitlines()]
    assert told == [line["correlation_id"] for line in logged if line["message"] == "refused what is no request"]
    assert len(told) == 1
    assert told[0].startswith("req-")


async def test_a_head_without_end_is_refused_when_it_is_too_long() -> None:
    async with a_client() as client:
        client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for number in range(HEAD_BYTES_MOST // 1000 + 1):
            client.sends(b"x-%d: " % number + b"a" * 1000 + b"\r\n")
            await client.writer.drain()
        status, said = await client.hears()
        assert (status, str(HEAD_BYTES_MOST).encode() in said) == (400, True)


async def test_a_head_that_begins_behind_a_long_body_is_no_longer_for_it() -> None:
    body = b"a" * HEAD_BYTES_MOST
    async with a_client() as client:
        client.sends(b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body) + b"GET /c HT")
        assert await client.hears() == (200, b"PUT /b " + body)
        client.sends(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert await client.hears() == (200, b"GET /c ")


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nX-First: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"


async def test_trailers_are_no_headers() -> None:
    async with a_client(tell_headers) as client:
        for _ in range(2):
            client.sends(CHUNKED + b"X-Second: 2\r\n\r\n")
            assert await client.hears() == (200, b"x-first")


async def test_trailers_without_end_are_refused_when_they_are_too_long() -> None:
    async with a_client() as client:
        client.sends(CHUNKED)
        await asyncio.sleep(0)
        for _ in range(4 * HEAD_BYTES_MOST // 1000):
            client.sends(b"x: " + b"a" * 1000 + b"\r\n")
            await client.writer.drain()
        assert (await client.hears())[0] == 400


async def test_a_long_body_is_no_head() -> None:
    body = b"a" * 4 * HEAD_BYTES_MOST
    async with a_client() as client:
        for _ in range(2):
            client.sends(b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert await client.hears() == (200, b"PUT /b " + body)


class Written:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True


class Reading:
    """A transport that knows whether it reads."""

    reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


def test_nothing_is_read_while_somebody_waits_behind_who_is_being_answered() -> None:
    transport, waiting = Reading(), deque(["a request"])
    flow = PausedBehind(transport, waiting)  # type: ignore[arg-type]
    flow.pause_reading()
    flow.resume_reading()
    assert not transport.reads
    waiting.clear()
    flow.resume_reading()
    assert transport.reads


async def test_head_and_body_are_one_piece_and_a_head_alone_waits_for_no_more_than_a_turn() -> None:
    transport = Written()
    answers = InOnePiece(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
    answers.write(b"HTTP/1.1 200 OK\r\n\r\n")
    answers.write(b"body")
    assert transport.pieces == [b"HTTP/1.1 200 OK\r\n\r\nbody"]
    answers.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert len(transport.pieces) == 1
    await asyncio.sleep(0)
    assert transport.pieces[1:] == [b"HTTP/1.1 200 OK\r\n\r\n"]
    answers.write(b"more")
    answers.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    answers.close()
    assert (transport.pieces[2:], transport.closed) == ([b"more", b"HTTP/1.1 204 No Content\r\n\r\n"], True)
