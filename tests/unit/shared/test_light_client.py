"""The bus's client sends and reads headers as nats-py does."""

from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import BadHeaderError

from actium_shared.bus.client import LightClient

HEADERS: dict[str, dict[str, str]] = {
    "ours": {"ce-id": "one", "ce-time": "2026-01-01T00:00:00+00:00", "Nats-Msg-Id": "a/b/1"},
    "blanks around": {"ce-actoruser": "  somebody\t"},
    "nothing in it": {"ce-actoruser": "", "ce-actorproject": "p"},
    "not ASCII": {"ce-actoruser": "Zo\u00eb \u732b"},
    "several lines": {"ce-actoruser": "somebody\r\nce-actorproject: another's"},
    "half a line's end": {"ce-actoruser": "somebody\rce-actorproject: another's"},
    "colons": {"ce-source": "a: b: c"},
}


class Kept:
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    async def _send_command(self, sent: bytes, priority: bool = False) -> None:
        self.sent.append(bytes(sent))


class Light(Kept, LightClient): ...


class Usual(Kept, Client): ...


async def sent(client: Any, headers: dict[str, str]) -> list[bytes]:
    for _ in range(3):  # what is new, and what is known
        await client._send_publish("subject", "reply", b"body", 4, headers)
    return list(client.sent)


@pytest.mark.parametrize("name", HEADERS)
async def test_it_sends_what_nats_py_sends(name: str) -> None:
    assert await sent(Light(), HEADERS[name]) == await sent(Usual(), HEADERS[name])


async def test_a_message_without_headers_is_sent_as_one() -> None:
    light, usual = Light(), Usual()
    for client in (light, usual):
        await client._send_publish("subject", "", b"body", 4, None)
    assert light.sent == usual.sent


async def test_a_name_that_cannot_be_sent_is_refused_each_time() -> None:
    light = Light()
    for _ in range(2):
        with pytest.raises(BadHeaderError):
            await light._send_publish("subject", "", b"", 0, {"two words": "x"})
    assert light.sent == []


@pytest.mark.parametrize("name", HEADERS)
async def test_it_reads_what_nats_py_reads(name: str) -> None:
    usual = Usual()
    (once, *_) = await sent(usual, HEADERS[name])
    block = once.partition(b"NATS/1.0\r\n")[2].removesuffix(b"body\r\n")
    assert LightClient._parse_header_lines(block) == Client._parse_header_lines(block)


@pytest.mark.parametrize(
    "block", [b"", b"\r\n", b"no colon\r\n", b"name:value\r\nother:\tvalue \r\n", b"name: \xff\r\n"]
)
def test_it_reads_odd_lines_as_nats_py_does(block: bytes) -> None:
    assert LightClient._parse_header_lines(block) == Client._parse_header_lines(block)
