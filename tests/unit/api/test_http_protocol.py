"""HTTP as our API speaks it, on a socket: what clients send that is unusual, and how answers are written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from actium_api.http_protocol import HEAD_BYTES_MOST, InOnePiece, Protocol

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
async def a_client() -> AsyncIterator[Client]:
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=Protocol, ws="none", lifespan="off", log_config=None))
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


async def test_requests_on_one_connection_are_answered_in_their_order() -> None:
    async with a_client() as client:
        client.sends(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5)))
        assert [await client.hears() for _ in range(5)] == [(200, b"GET /%d " % number) for number in range(5)]


@pytest.mark.parametrize(
    "rubbish",
    [b"nonsense\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nbad header: 1\r\n\r\n"],
)
async def test_what_is_no_request_is_refused(rubbish: bytes) -> None:
    async with a_client() as client:
        client.sends(rubbish)
        assert (await client.hears())[0] == 400
        assert await client.reader.read() == b""


async def test_a_head_without_end_is_refused_when_it_is_too_long() -> None:
    async with a_client() as client:
        client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for number in range(HEAD_BYTES_MOST // 1000 + 1):
            client.sends(b"x-%d: " % number + b"a" * 1000 + b"\r\n")
            await client.writer.drain()
        status, said = await client.hears()
        assert (status, str(HEAD_BYTES_MOST).encode() in said) == (400, True)


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
