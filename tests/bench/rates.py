"""A small HTTP client that costs little itself: the same request over and over, on kept connections where they are kept."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`took_ms` of each request, and how many there were a second over all connections."""

    took_ms: list[float]
    per_s: float


def rate(
    url: str,
    *,
    connections: int,
    for_s: float,
    method: str = "GET",
    bodies: tuple[bytes, ...] = (b"",),
    headers: Mapping[str, str] = {},
) -> Rate:
    """
    Send requests for so long, the next on a connection when the one before is answered; bodies take turns.

    A connection is kept where the server keeps it, and made anew where it does not.
    """
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"{method} {target} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{told}"
    requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    assert parts.hostname is not None
    assert parts.port is not None
    return asyncio.run(_rate(_Connections(parts.hostname, parts.port, connections), requests, for_s))


@dataclass(frozen=True, slots=True)
class _Connections:
    host: str
    port: int
    count: int


async def _rate(connections: _Connections, requests: list[bytes], for_s: float) -> Rate:
    took_ms: list[float] = []
    began = time.perf_counter()
    async with asyncio.timeout(for_s + 30), asyncio.TaskGroup() as group:
        for _ in range(connections.count):
            group.create_task(_client(connections, requests, until=began + for_s, took_ms=took_ms))
    return Rate(took_ms=took_ms, per_s=len(took_ms) / (time.perf_counter() - began))


async def _client(connections: _Connections, requests: list[bytes], *, until: float, took_ms: list[float]) -> None:
    kept = False
    while (sent := time.perf_counter()) < until:
        if not kept:
            reader, writer = await asyncio.open_connection(connections.host, connections.port)
        writer.write(requests[len(took_ms) % len(requests)])
        kept = await _answer(reader)
        took_ms.append((time.perf_counter() - sent) * 1000)
        if not kept:
            writer.close()
    if kept:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> bool:
    """Read it to its end; whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head[8:].startswith(b" 2"), head
    _, _, rest = head.partition(b"content-length:")
    await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
    return head.startswith(b"http/1.1")
