"""The two processes as the supervisor starts them."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actium_shared.bus import Bus
from actium_shared.embedded import namespaces
from actium_shared.embedded.deadline import Deadline
from actium_shared.errors import RetryableError
from integration.health.world import World, until
from unit.health.given import AMPHORA, MASTER_KEY, beat, booted, datagram


def environment(world: World, user: str, **settings: str) -> dict[str, str]:
    password = world.folder / f"{user}.password"
    password.write_text(world.server.password(user))
    key = world.folder / "master.key"
    if not key.exists():
        key.write_bytes(MASTER_KEY)
    ours = {
        "ACTIUM_NATS_URL": world.server.url,
        "ACTIUM_NATS_USER": user,
        "ACTIUM_NATS_PASSWORD_FILE": str(password),
        "ACTIUM_HEARTBEAT_MASTER_KEY_FILE": str(key),
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("ACTIUM_")} | ours | settings


def health_environment(world: World) -> dict[str, str]:
    return environment(world, "health", ACTIUM_DATABASE_URL=f"sqlite:///{world.folder}/health.sqlite")


@asynccontextmanager
async def process(module: str, env: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=env, stderr=pipe)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def is_up(bus: Bus, service: str) -> bool:
    try:
        return bool((await bus.ask_status(service, timeout_s=0.5))["name"] == service)
    except RetryableError:
        return False


async def test_both_run_answer_and_stop_when_told_to(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    world.port = 45_555
    relay_environment = environment(world, "relay", ACTIUM_RELAY_BIND=f"127.0.0.1:{world.port}")
    async with (
        world.server.bus("api") as api,
        process("actium_health", health_environment(world)) as health,
        process("actium_health.relay", relay_environment) as relay,
    ):
        await until(lambda: is_up(api, "health"))
        await until(lambda: is_up(api, "relay"))
        world.send(datagram(beat(), at=time.time()))
        await world.wait_for_commits(1)
        assert (await api.ask_status("health"))["beats"]["accepted"] == 1
        assert (await api.ask_status("relay"))["datagrams"]["forwarded"] == 1
        for running in (health, relay):
            running.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await running.wait() == 0


async def test_killed_at_once_after_each_beat_it_still_says_everything_once(world: World) -> None:
    await world.placed()
    words = {"UP": "ONLINE", "DOWN": "ERROR", "MAINT": "OFFLINE", "DRAIN": "DRAINING"}
    async with world.server.bus("api") as api:
        for counter, word in enumerate(words, 1):
            async with process("actium_health", health_environment(world)) as health:
                await until(lambda: is_up(api, "health"))
                await world.wait_for_commits(counter - 1)  # what the one before was killed over
                await world.signal(datagram(beat(member=word), at=time.time(), counter=counter))
                health.kill()
                await health.wait()
    async with process("actium_health", health_environment(world)):
        await world.wait_for_commits(len(words))
    assert [change["member"] for change in await world.statuses()] == list(words.values())


@pytest.mark.parametrize("module", ["actium_health", "actium_health.relay"])
async def test_a_missing_key_is_one_sentence_and_the_end(world: World, module: str) -> None:
    missing = str(world.folder / "nothing.key")
    env = health_environment(world) if module == "actium_health" else environment(world, "relay")
    async with process(module, env | {"ACTIUM_HEARTBEAT_MASTER_KEY_FILE": missing}) as running:
        async with asyncio.timeout(20):
            _, errors = await running.communicate()
    assert running.returncode == 1
    (line,) = errors.decode().splitlines()
    assert missing in line


@pytest.mark.root
async def test_a_relay_receives_inside_a_namespace_that_may_come_late_and_come_anew(
    world: World, tmp_path: Path
) -> None:
    name = f"health-{os.getpid()}-{tmp_path.name[-4:]}"

    def send(counter: int) -> None:
        with namespaces.entered(name):
            world.send(datagram(beat(), at=time.time(), counter=counter))

    try:
        async with world.relay(relay_namespace=name) as relay:
            for life in (1, 2):
                namespaces.create(name, Deadline(10.0, "making a namespace"))
                await _lo_up(name)

                async def heard(life: int = life) -> bool:
                    send(life * 1_000)
                    return bool(relay.status()["datagrams"]["forwarded"] >= life)  # type: ignore[index]

                await until(heard)
                world.send(b"outside nobody listens")
                namespaces.remove(name)
                await until(lambda: _deaf(relay))
            assert relay.status()["datagrams"]["malformed"] == 0  # type: ignore[index]
    finally:
        if namespaces.exists(name):
            namespaces.remove(name)


async def _lo_up(name: str) -> None:
    done = await asyncio.create_subprocess_exec("ip", "-n", name, "link", "set", "lo", "up")
    assert await done.wait() == 0


async def _deaf(relay: object) -> bool:
    return not relay.status()["listening"]  # type: ignore[attr-defined]
