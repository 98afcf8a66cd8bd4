"""Edges on their way from haproxy's log to datagrams."""

import asyncio
import socket
from typing import Any

from actium_amphora_agent.heartbeat import Edges
from actium_shared.heartbeat import Heartbeat, pack


class Wire:
    """Takes the place of `Sender`: packs as that does, and keeps what it packed."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def send(self, kind: Any, body: dict[str, Any]) -> None:
        made = Heartbeat(amphora_id="a" * 36, key_version=1, boot_id="b" * 32, counter=1, at=1.0, kind=kind, body=body)
        pack(made, bytes(32))
        self.bodies.append(body)


class Sampling:
    def expect_changes(self) -> None: ...


async def test_however_long_the_reasons_every_edge_leaves_and_so_does_the_next_one(tmp_path):
    wire = Wire()
    edges = Edges(tmp_path / "log", wire, Sampling(), on_member=lambda: None)  # type: ignore[arg-type]
    edges.open()
    haproxy = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    haproxy.setblocking(False)

    async def tell(number: int) -> None:
        line = f"Server {'p' * 36}:l/{'m' * 32}{number:04} is DOWN, reason: {chr(0x2620) * 300}"
        await asyncio.get_running_loop().sock_sendto(haproxy, line.encode(), str(tmp_path / "log"))

    async def arrived(count: int) -> None:
        async with asyncio.timeout(5):
            while sum(len(body["edges"]) for body in wire.bodies) < count:
                await asyncio.sleep(0.005)

    for number in range(200):
        await tell(number)
    await arrived(200)
    await tell(200)
    await arrived(201)
    edges.close()
    haproxy.close()
