"""What amphorae are granted of the log store: with their configuration, and anew before it ends, without anybody's order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actium_shared.testing.nats_server import NatsServer
from integration.compute.bench import Amphora, Bench, until

LIFETIME_S = 4.0


@pytest.fixture
async def bench(nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Compute that looks after its amphorae all the time."""
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.01)
    async with AsyncExitStack() as stack:
        bench = Bench(nats_server, tmp_path, stack)
        bench.changed_settings = {"check_every_s": 0.1}
        await bench.connect()
        await bench.start()
        yield bench
        await bench.stop()
        await bench.machines.lose_all()


def with_store(bench: Bench, *, lifetime_s: float) -> None:
    key = bench.folder / "log-store.key"
    key.write_text("a key of a container")
    bench.changed_settings |= {
        "log_store_url": "http://192.0.2.7:8080/v1/AUTH_actium/logs",
        "log_store_key_file": key,
        "log_store_signature_lifetime_s": lifetime_s,
    }


async def test_a_store_that_is_named_later_is_told_to_amphorae_that_serve_already(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    assert [push["logs"] for push in agent.pushes] == [None]
    await bench.stop()
    with_store(bench, lifetime_s=3600.0)
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "configured")
    logs = agent.pushes[-1]["logs"]
    assert logs["addresses"] == [["192.0.2.7", 8080]]
    assert b"/run/amphora/traffic-log.sock" in agent.pushes[-1]["files"]["haproxy.cfg"]
    assert [stream["prefix"].endswith(f"/{amphora.id}/") for stream in logs["streams"].values()] == [True]


async def test_a_grant_is_given_anew_while_it_holds_and_nothing_else_changes(bench: Bench, amphora: Amphora) -> None:
    await bench.stop()
    with_store(bench, lifetime_s=LIFETIME_S)
    await bench.start()
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]

    async def pushes() -> list[dict[str, Any]]:
        return list(agent.pushes)

    found = await until(pushes, lambda pushes: len(pushes) >= 3)
    ends = [each["logs"]["expires_at"] for each in found]
    assert ends == sorted(set(ends))
    assert all(later - earlier <= LIFETIME_S / 2 + 1 for earlier, later in pairwise(ends))
    assert {each["bundle"] for each in found} == {1}
    assert len({each["files"]["haproxy.cfg"] for each in found}) == 1
    assert "drifted" not in await bench.types(amphora)
