"""Lines of logs inside an amphora: none is counted twice or forgotten, memory is bounded, and a store's answer is understood."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_amphora_agent.desired import InForce, parse
from actium_amphora_agent.errors import Invalid
from actium_amphora_agent.shipping import Shipping
from actium_amphora_agent.shipping.buffer import CHUNK_BYTES, Buffer
from actium_amphora_agent.shipping.object_store import NotTaken, put
from actium_amphora_agent.shipping.wanted import Logs
from actium_amphora_agent.store import Store
from unit.amphora_agent.test_desired import body

LOGS = {
    "addresses": [["127.0.0.1", 9]],
    "host": "swift.example",
    "server_name": "",
    "ca": "",
    "path": "/v1/AUTH_a/logs",
    "expires_at": 2_000_000_000,
    "cut_after_s": 60,
    "keep_s": 600.0,
    "delete_after_s": 3600,
    "format": "%r",
    "streams": {"lb": {"prefix": "p/lb/a/", "signature": "0f"}},
}


def wanted(**changes: Any) -> Logs:
    found = parse(msgpack.packb(body(logs=LOGS | changes))).logs
    assert found
    return found


def inside(buffer: Buffer) -> int:
    return buffer.received - buffer.shipped - sum(buffer.lost.values())


CREATED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"

# ---- the bundle


def test_a_bundle_without_logs_has_none_and_one_with_them_outlives_the_agent(tmp_path: Path) -> None:
    assert parse(msgpack.packb(body())).logs is None
    Store(tmp_path).save(InForce(logs=wanted()))
    assert Store(tmp_path).load().logs == wanted()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"addresses": ["127.0.0.1:9"]}, r"logs\.addresses\[0\]"),
        ({"path": 1}, r"logs\.path"),
        ({"path": "/v1/a/b HTTP/1.1\r\nx: y"}, r"logs\.path"),
        ({"cut_after_s": 0}, r"logs\.cut_after_s"),
        ({"keep_s": float("nan")}, r"logs\.keep_s"),
        ({"streams": {"lb": {"prefix": "p"}}}, r"logs\.streams\[lb\]\.signature"),
        ({"streams": []}, r"logs\.streams"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        wanted(**changes)


def test_who_may_write_is_shown_in_no_log() -> None:
    assert "0f" not in repr(wanted())


# ---- the buffer


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "burst", "cut", "ship", "lose", "give back"]), st.binary(max_size=300)),
        max_size=60,
    )
)
def test_every_line_is_shipped_lost_or_here_and_memory_has_a_bound(steps: list[tuple[str, bytes]]) -> None:
    buffer = Buffer(most_bytes=2 * CHUNK_BYTES, object_most_bytes=2_000)
    given_lines, shipped = 0, []
    for now, (step, content) in enumerate(steps):
        match step:
            case "add" | "burst":
                for number in range(1 if step == "add" else 500):
                    buffer.add(b"%d" % (len(content) % 3), content.hex().encode() + b"%d" % number, float(now))
                    given_lines += 1
            case "cut":
                buffer.cut(float(now), after_s=2.0)
            case _:
                if cut := buffer.take():
                    if step == "ship":
                        buffer.ship(cut)
                        shipped += gzip.decompress(cut.body).splitlines()
                    elif step == "lose":
                        buffer.lose(cut, "failed")
                    else:
                        buffer.give_back(cut)
        assert buffer.size_bytes <= 2 * CHUNK_BYTES
    buffer.cut(1e9, after_s=0.0)
    while cut := buffer.take():
        buffer.ship(cut)
        shipped += gzip.decompress(cut.body).splitlines()
    assert buffer.received == given_lines
    assert inside(buffer) == 0
    assert buffer.size_bytes == 0
    assert len(shipped) == buffer.shipped


def test_the_oldest_objects_make_room_for_the_newest() -> None:
    buffer = Buffer(most_bytes=CHUNK_BYTES)
    for number in range(40):
        buffer.add(b"lb", (f"{number} " + hex(hash(str(number)) ** 200)).encode(), 0.0)
        buffer.cut(0.0, after_s=0.0)
    buffer.add(b"lb", b"x" * CHUNK_BYTES, 1.0)
    buffer.cut(1.0, after_s=0.0)
    bodies = []
    while cut := buffer.take():
        buffer.ship(cut)
        bodies.append(gzip.decompress(cut.body))
    assert bodies[-1].startswith(b"xxx")
    assert buffer.lost["overflow"] == 41 - len(bodies)


# ---- the store


@asynccontextmanager
async def answering(words: bytes, **changes: Any) -> AsyncIterator[tuple[Logs, list[bytes]]]:
    """A store that gives everybody this answer; empty is none at all."""
    asked: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        length = next(line for line in asked[-1].split(b"\r\n") if line.startswith(b"content-length"))
        asked.append(await reader.readexactly(int(length.split()[1])))
        if words:
            writer.write(words)
        else:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield wanted(addresses=[list(server.sockets[0].getsockname())], **changes), asked
    finally:
        done.set()
        server.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 0\r\n\r\n", "full"),
        (b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n", "full"),
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "refused"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "failed"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere\r\n\r\n", "failed"),
        (b"SSH-2.0\r\n\r\n", "failed"),
        (b"HTTP/1.1 ", "failed"),
        (b"", "failed"),
    ],
)
async def test_an_object_that_is_not_taken_says_why(answer: bytes, reason: str) -> None:
    async with answering(answer) as (logs, _):
        with pytest.raises(NotTaken) as refused:
            await put(logs, logs.streams["lb"], "x.log.gz", b"body", deadline_s=0.2)
    assert refused.value.reason == reason


async def test_what_is_sent_is_signed_and_has_an_end() -> None:
    async with answering(CREATED) as (logs, asked):
        await put(logs, logs.streams["lb"], "x.log.gz", b"body", deadline_s=2.0)
    head = asked[0].decode()
    signed = "temp_url_sig=0f&temp_url_expires=2000000000&temp_url_prefix=p/lb/a/"
    assert head.startswith(f"PUT /v1/AUTH_a/logs/p/lb/a/x.log.gz?{signed} HTTP/1.1\r\n")
    assert "host: swift.example\r\n" in head.lower()
    assert "x-delete-after: 3600\r\n" in head.lower()
    assert asked[1] == b"body"


# ---- from the socket on


async def eventually(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not look():
            await asyncio.sleep(0.005)


async def test_nothing_is_there_unless_a_bundle_asks_for_it(tmp_path: Path) -> None:
    shipping = Shipping(tmp_path, Store(tmp_path))
    shipping.follow(None)
    assert shipping.figures(3) is None
    assert not (tmp_path / "traffic-log.sock").exists()
    await shipping.stop()


async def test_one_datagram_is_one_line_whatever_is_in_it_and_others_words_are_none(tmp_path: Path) -> None:
    async with answering(CREATED, cut_after_s=0.05) as (logs, asked):
        shipping = Shipping(tmp_path, Store(tmp_path))
        shipping.follow(logs)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as haproxy:
            haproxy.connect(str(tmp_path / "traffic-log.sock"))
            for words in (b"lb one\r\nanother\x1b[2J\n", b"Proxy lb stopped.", b"lb", b""):
                haproxy.send(words)
        await eventually(lambda: (shipping.figures(7) or {}).get("shipped") == 2)
        assert shipping.figures(7) == {"shipped": 2, "lost": {"socket": 7}}
        assert gzip.decompress(asked[1]) == b"one  another [2J\n\n"
        await shipping.stop()
    assert not (tmp_path / "traffic-log.sock").exists()


async def test_what_was_told_before_logs_were_switched_off_is_still_shipped(tmp_path: Path) -> None:
    async with answering(CREATED) as (logs, asked):
        shipping = Shipping(tmp_path, Store(tmp_path))
        shipping.follow(logs)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as haproxy:
            haproxy.sendto(b"lb one", str(tmp_path / "traffic-log.sock"))
        shipping.follow(None)
        await shipping.stop()
        assert gzip.decompress(asked[1]) == b"one\n"


async def test_what_an_agent_that_was_killed_had_in_memory_is_counted_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("logs", {"received": 10, "shipped": 3, "lost": {"full": 2}})
    for _ in range(2):
        shipping = Shipping(tmp_path, store)
        shipping.follow(wanted())
        assert shipping.figures(0) == {"shipped": 3, "lost": {"full": 2, "restart": 5}}
        await shipping.stop()
