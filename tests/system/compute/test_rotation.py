"""A real agent whose credentials are renewed over and over: each beat is signed with a key that counts when it arrives."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from actium_shared import embedded
from actium_shared.crypto import heartbeat_key
from actium_shared.embedded import namespaces
from actium_shared.testing.datagrams import key_version, verify
from integration.compute.bench import until
from system.compute.scene import Scene

pytestmark = pytest.mark.root
UNDER_WAY_S = 0.1
"""From a relay's socket to health: lists go out each 50 ms."""


@contextmanager
def relay(amphora_id: str) -> Iterator[list[tuple[float, bytes]]]:
    """Where the amphora's beats arrive."""
    heard: list[tuple[float, bytes]] = []
    with namespaces.entered(embedded.amphora_namespace(amphora_id)):
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setblocking(False)
    listening.bind(("127.0.0.1", 5555))
    loop = asyncio.get_running_loop()
    loop.add_reader(listening, lambda: heard.append((time.time(), listening.recv(65536))))
    try:
        yield heard
    finally:
        loop.remove_reader(listening)
        listening.close()


async def test_no_beat_is_refused_while_keys_change(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, amphora = scene.bench, scene.amphora
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.1)
    await bench.stop()
    every_second = {"certificate_lifetime_s": 60.0, "certificate_renew_before_s": 59.0, "heartbeat_interval_s": 0.05}
    bench.changed_settings = bench.changed_settings | every_second
    await bench.start()
    await scene.make_ports()
    await bench.order(amphora.boot(), scene.configure(1))
    await until(lambda: bench.types(amphora), lambda types: types[:2] == ["booted", "configured"])
    with relay(amphora.id) as heard:
        await until(lambda: bench.types(amphora), lambda types: types.count("certificate-renewed") >= 4)
        assert await scene.answers() == 200
    least = [
        (item.stored_at.timestamp(), event.heartbeat_key_version)
        for item in await bench.commits(amphora)
        for event in item.commit.events
        if hasattr(event, "heartbeat_key_version")
    ]
    versions = []
    for arrived_at, datagram in heard:
        version = key_version(datagram)
        verify(datagram, heartbeat_key(bytes(32), amphora.id, version))
        assert version >= max(known for at, known in least if at <= arrived_at + UNDER_WAY_S)
        versions.append(version)
    assert len(versions) >= 20
    assert len(set(versions)) >= 4
    assert versions == sorted(versions)
