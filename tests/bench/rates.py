"""A small HTTP client that costs little itself: the same request over and over on kept connections."""

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`took_ms` of each request, and how many there were a second over all connections."""

    took_ms: list[float]
    per_s: float


def rate(url: str, *, connections: int, for_s: float, method: str = "GET", bodies: tuple[bytes, ...] = (b"",)) -> Rate:
    """Send requests for so long, the next on a connection when the one before is answered; bodies take turns."""
    return asyncio.run(_rate(url, connections, for_s, method, bodies))


async def _rate(url: str, connections: int, for_s: float, method: str, bodies: tuple[bytes, ...]) -> Rate:
    took_ms: list[float] = []
    began = time.perf_counter()
    async with asyncio.timeout(for_s + 30), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_client(url, method, bodies, until=began + for_s, took_ms=took_ms))
    return Rate(took_ms=took_ms, per_s=len(took_ms) / (time.perf_counter() - began))


async def _client(url: str, method: str, bodies: tuple[bytes, ...], *, until: float, took_ms: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"{method} {target} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    try:
        while (sent := time.perf_counter()) < until:
            writer.write(requests[len(took_ms) % len(requests)])
            await _answer(reader)
            took_ms.append((time.perf_counter() - sent) * 1000)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 2"), head
    _, _, rest = head.partition(b"content-length:")
    await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
