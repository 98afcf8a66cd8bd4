"""From haproxy's log line, through agent, relay and bus, to the log: an edge stands there within 100 ms."""

import asyncio
import socket
import statistics
import time
from pathlib import Path

from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.heartbeat import Edges, Sender
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Identity, Store
from actium_shared.crypto import heartbeat_key
from actium_shared.events.health import AmphoraRoleChanged, OperatingStatusChanged
from builders import LISTENER, MEMBER, POOL
from integration.health.world import World, until
from unit.health.given import AMPHORA, MASTER_KEY, beat, booted

BOUND_MS = 100.0
TIMES = 20


class Sampling:
    """The agent's sampler would ask haproxy."""

    def expect_changes(self) -> None: ...


def agent(world: World, folder: Path) -> tuple[Sender, Edges]:
    """The agent's own code, as far as it tells of what haproxy logs."""
    settings = Settings(
        amphora_id=AMPHORA,
        listen_address="127.0.0.1",
        listen_port=1,
        relays=(("127.0.0.1", world.port),),
        heartbeat_interval_s=1.0,
        heartbeat_key_version=1,
        heartbeat_key=heartbeat_key(MASTER_KEY, AMPHORA, 1),
        config=folder,
        root=folder,
    )
    for name in ("agent.pem", "ca.pem"):
        (folder / name).write_bytes(b"")  # nothing is asked of the agent here
    sender = Sender(settings, Identity(Store(folder)), Credentials(settings))
    return sender, Edges(folder / "log", sender, Sampling(), on_member=lambda: None)  # type: ignore[arg-type]


async def test_what_haproxy_logs_stands_on_the_log_within_100_ms(world: World, tmp_path: Path) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with world.health(), world.relay() as relay:
        await until(lambda: _listening(relay))
        sender, edges = agent(world, tmp_path)
        edges.open()
        haproxy = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        took_ms = []
        try:
            sender.send("beat", beat())
            await world.wait_for_commits(1)
            for number in range(TIMES):
                await asyncio.sleep(0.03)
                word = "UP, reason: Layer4 check passed" if number % 2 else "DOWN, reason: Layer4 timeout"
                seen_at = time.time()
                haproxy.sendto(f"Server {POOL}:{LISTENER}/{MEMBER} is {word}.".encode(), str(tmp_path / "log"))
                await world.wait_for_commits(2 + number)
                item = (await world.said())[-1]
                assert isinstance(item.commit.events[0], OperatingStatusChanged)
                took_ms.append(1000 * (item.stored_at.timestamp() - seen_at))
        finally:
            haproxy.close()
            edges.close()
            sender.close()
    print(f"haproxy's line to event: median {statistics.median(took_ms):.1f} ms, worst {max(took_ms):.1f} ms")
    assert statistics.median(took_ms) < BOUND_MS


async def test_a_change_of_role_stands_on_the_log_within_100_ms(world: World, tmp_path: Path) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with world.health(), world.relay() as relay:
        await until(lambda: _listening(relay))
        sender, edges = agent(world, tmp_path)
        took_ms = []
        try:
            sender.send("beat", beat(role="BACKUP"))
            await world.wait_for_commits(2)
            for number in range(TIMES):
                await asyncio.sleep(0.03)
                role, seen_at = ("BACKUP" if number % 2 else "MASTER"), time.time()
                edges.add({"kind": "role", "id": "", "status": role, "reason": ""})
                await world.wait_for_commits(3 + number)
                item = (await world.said())[-1]
                (event,) = item.commit.events
                assert isinstance(event, AmphoraRoleChanged)
                assert event.role == role
                took_ms.append(1000 * (item.stored_at.timestamp() - seen_at))
        finally:
            sender.close()
    print(f"role to event: median {statistics.median(took_ms):.1f} ms, worst {max(took_ms):.1f} ms")
    assert statistics.median(took_ms) < BOUND_MS


async def _listening(relay: object) -> bool:
    return bool(relay.status()["listening"])  # type: ignore[attr-defined]
