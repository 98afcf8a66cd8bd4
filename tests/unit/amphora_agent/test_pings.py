"""Pings for haproxy: what is asked on the socket file, what goes over the wire, what is answered when."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from actium_amphora_agent.pings import Pings, Target, answered, parse, request
from actium_amphora_agent.traffic import Traffic

LISTED = b"p:l/here 127.0.0.1 -\np:l/nowhere 192.0.2.1 no-such-card\n"


def test_the_list_says_whom_and_by_which_way() -> None:
    assert parse(LISTED) == {
        "p:l/here": Target("127.0.0.1", None),
        "p:l/nowhere": Target("192.0.2.1", "no-such-card"),
    }
    assert parse(b"") == {}


def test_a_request_has_the_checksum_that_the_protocol_wants() -> None:
    packet = request(socket.AF_INET, 0x1234, 0xFFFE)
    total = sum(int.from_bytes(packet[at : at + 2], "big") for at in range(0, len(packet), 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_an_answer_is_read_behind_its_header_and_a_torso_is_none() -> None:
    body = bytes((0, 0, 9, 9)) + (7).to_bytes(2, "big") + (8).to_bytes(2, "big")
    assert answered(socket.AF_INET, bytes((0x45,)) + bytes(19) + body) == (0, 0, 7, 8)
    assert answered(socket.AF_INET6, body) == (0, 0, 7, 8)
    assert answered(socket.AF_INET, b"") is None


async def ask(path: Path, name: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(name.encode() + b"\n")
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_haproxy_is_answered_and_a_server_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    known = [("1", b"")]
    pings = Pings(tmp_path / "s", Traffic(Path("/proc/self/ns/net")), lambda: known[0])
    await pings.open()
    early = asyncio.create_task(ask(tmp_path / "s", "p:l/here"))
    await asyncio.sleep(0)
    known[0] = ("2", LISTED)
    assert await early == b"UP\n"
    assert await ask(tmp_path / "s", "p:l/nowhere") == b"DOWN\n"
    await pings.close()
