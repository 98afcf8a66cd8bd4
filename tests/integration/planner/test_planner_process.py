"""The planner as a process, on a real log: it answers, orders, and comes back from kill -9 with everything it knew."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import builders as a
from actium_shared import streams, tasks
from actium_shared.bus import Bus
from actium_shared.commands.compute import BootAmphora
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore, commit_envelope
from actium_shared.events.network import VipReserved
from actium_shared.ids import partition
from actium_shared.message import Accepted, Commit, Reason, Rejected, Reply, WorkCause
from actium_shared.testing.nats_server import NatsServer


@asynccontextmanager
async def planner(nats_server: NatsServer, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    password = folder / "password"
    password.write_text(nats_server.password("planner"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "actium_planner",
        env=os.environ | {"ACTIUM_NATS_URL": nats_server.url, "ACTIUM_NATS_PASSWORD_FILE": str(password)},
        stderr=(folder / "planner.log").open("ab"),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def ask(bus: Bus, command: LoadBalancerCommand) -> Reply:
    """Ask as the API's callers do: a 503 is repeated."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await bus.ask(command, timeout_s=1)
            except RetryableError:
                await asyncio.sleep(0.05)


async def reserve(nats_server: NatsServer) -> None:
    """Do as the network service does when the API asks it for addresses."""
    wish = a.load_balancer()
    reserved = VipReserved(load_balancer_id=wish.id, project_id=wish.project_id, vip=wish.vip)
    commit = Commit(
        id=a.an_id("reservation"), events=(reserved,), cause=WorkCause(order_id="test"), decided_at=datetime.now(UTC)
    )
    async with nats_server.bus("network") as network:
        await JetStreamEventStore(network).append(
            streams.event_subject("network", "vip", wish.id),
            commit,
            expected=0,
            envelope=commit_envelope(commit, source="network", correlation_id="test"),
        )


async def test_a_killed_planner_comes_back_with_what_it_knew(nats_server: NatsServer, tmp_path: Path) -> None:
    await reserve(nats_server)
    async with nats_server.bus("api") as api, nats_server.bus("compute") as compute:
        async with planner(nats_server, tmp_path) as first:
            assert isinstance(await ask(api, a.create_load_balancer()), Accepted)
            accepted = await ask(api, a.create_listener())
            assert isinstance(accepted, Accepted)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with planner(nats_server, tmp_path):
            assert await ask(api, a.create_listener()) == accepted
            clash = await ask(api, a.create_listener(id=a.an_id("other")))
            assert isinstance(clash, Rejected)
            assert clash.reason is Reason.CONFLICT
            order = await asyncio.wait_for(_boot_order(compute), 20)
            assert order.amphora_id
    commits = [item async for item in _log(nats_server)]
    assert commits.count("loadbalancer.created") == 1
    assert commits.count("appliance.created") == 1


async def _boot_order(compute: Bus) -> BootAmphora:
    from actium_shared.codec import CODEC

    found: asyncio.Queue[BootAmphora] = asyncio.Queue()

    async def work(number: int) -> None:
        async for delivery in compute.work("compute", number):
            if delivery.headers["ce-type"] == BootAmphora.TYPE:
                order = CODEC.decode(BootAmphora.TYPE, 1, delivery.body)
                assert isinstance(order, BootAmphora)
                found.put_nowait(order)
            await delivery.acknowledge()

    working = [asyncio.create_task(work(number)) for number in range(16)]
    try:
        order = await found.get()
        assert partition(order.amphora_id) in range(16)
        return order
    finally:
        await tasks.end(working)


async def _log(nats_server: NatsServer) -> AsyncIterator[str]:
    async with nats_server.bus("planner") as bus:
        async for item in JetStreamEventStore(bus).read("EVENTS_PLANNER", after=0):
            for event in item.commit.events:
                yield event.TYPE


async def test_a_wrong_setting_stops_the_process_with_a_sentence(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "actium_planner",
        env=os.environ | {"ACTIUM_NAST_URL": "x"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, words = await process.communicate()
    assert process.returncode == 1
    assert b"unknown setting ACTIUM_NAST_URL" in words


pytestmark = pytest.mark.timeout(90)
