"""Streams that exist with other settings: changed by their owner, lived with, or a clear reason not to start."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actium_shared import streams
from actium_shared.errors import SettingsError
from actium_shared.testing.nats_server import NatsServer


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


async def made_with(nats: NatsServer, user: str, name: str, patch: pytest.MonkeyPatch, **settings: Any) -> None:
    """As an earlier release with another table would have left it."""
    with patch.context() as earlier:
        earlier.setitem(streams.BY_NAME, name, replace(streams.BY_NAME[name], **settings))
        async with nats.bus(user):
            pass


async def found(nats: NatsServer, user: str, name: str) -> dict[str, Any]:
    async with nats.bus(user) as bus:
        return dict((await bus.api(f"STREAM.INFO.{name}", {}))["config"])


async def test_a_new_age_limit_is_set_by_the_streams_owner_only(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_with(nats, "health", "STATISTICS", monkeypatch, max_age_s=86_400.0)
    with pytest.raises(SettingsError, match=r"stream STATISTICS was made with other settings: max_age is 86400"):
        async with nats.bus("api"):
            pass
    assert (await found(nats, "health", "STATISTICS"))["max_age"] == int(7 * 86_400 * 1e9)
    async with nats.bus("api"):
        pass


async def test_a_log_is_changed_by_nobody_and_lived_with_where_that_does_no_harm(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_with(nats, "health", "EVENTS_HEALTH", monkeypatch, compressed=False)
    assert (await found(nats, "health", "EVENTS_HEALTH"))["compression"] == "none"


async def test_a_log_that_forgets_is_no_log(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    await made_with(nats, "health", "EVENTS_HEALTH", monkeypatch, max_age_s=60.0)
    bus = nats.bus("health")
    with pytest.raises(SettingsError, match=r"stream EVENTS_HEALTH .* max_age is 60000000000, needed is 0"):
        async with bus:
            pass
    assert bus._client.is_closed


async def test_what_is_for_ever_by_the_servers_rules_is_lived_with(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_with(nats, "planner", "SNAPSHOTS", monkeypatch, unsynced=False, last_per_subject=False)
    settings = await found(nats, "planner", "SNAPSHOTS")
    assert "persist_mode" not in settings
    assert settings["max_msgs_per_subject"] == 1  # what can be changed is, all the same


async def test_statistics_and_snapshots_do_not_wait_for_the_disk(nats: NatsServer) -> None:
    for user, name in (("health", "STATISTICS"), ("planner", "SNAPSHOTS")):
        assert (await found(nats, user, name))["persist_mode"] == "async"
    assert (await found(nats, "planner", "EVENTS_PLANNER")).get("persist_mode", "default") == "default"


async def test_all_services_may_start_at_the_same_moment(nats: NatsServer) -> None:
    async def come_and_go(user: str) -> None:
        async with nats.bus(user):
            pass

    await asyncio.gather(*(come_and_go(user) for user in streams.SERVICES))
