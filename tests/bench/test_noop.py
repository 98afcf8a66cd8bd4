"""
The API, the planner and the log by themselves: a world behind which nothing stands, as upstream's was when it was measured.

The aims are for a quiet machine of two cores. What fails is to be many times slower than bare peers in the same minute: one
append to a log that is synced, one answer of a server that does nothing.
"""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from actium_embedded import supervisor
from actium_embedded.running import read_record
from bench.figures import LONG, Figures, repeats
from bench.peers import appends, hello
from bench.rates import rate
from bench.test_stack import pss_mib
from system.worlds import TestWorld, a_name, free_port

BASE = "/v2.0/lbaas"
KEPT = 1000 if LONG else 200
"""Load balancers that exist while others are read and made."""

WARMING = 30
AT_ONCE = 4
FOR_S = 10.0 if LONG else 2.0
REST_S = 5.0
WITHIN_S = 60.0
POLL_S = 0.002
PENDING = "PENDING"
FAILED = '"provisioning_status": "ERROR"'
SUBNET = "public"
MEMORY_MOST_MIB = 380 + KEPT // 10
"""The aim, a tenth for heaps not tidied up yet and pages that no other Python shares, and what load balancers that exist take."""

APPENDS = repeats(1000, 4000)


class Most:
    """So many times what a peer takes are good: four times what is usual on a quiet machine of two cores."""

    BURST_ACCEPTED = 50
    BURST_ACTIVE = 90
    ANSWER = 18
    ACTIVE = 55
    TREE_ANSWER = 28
    TREE_ACTIVE = 65
    MEMBERS = 40
    GET = 16
    PAGE = 50
    FILTER = 36


@pytest.fixture(scope="module")
def noop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    world = TestWorld(tmp_path_factory.mktemp("noop") / "world", a_name("n"))
    world.up("--world", "noop", port=free_port())
    yield world
    world.down(wipe=True)


@dataclass
class Client:
    """One kept connection that costs little itself."""

    port: int
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, init=False)

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        content = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {BASE}{path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        status, _, rest = (await reader.readuntil(b"\r\n\r\n")).lower().partition(b"\r\n")
        length = next((line for line in rest.split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        answer = await reader.readexactly(int(length.partition(b":")[2]))
        assert status.startswith(b"http/1.1 2"), answer
        return json.loads(answer) if answer else None

    async def create(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = (await self.ask("POST", "/loadbalancers", {"loadbalancer": wish}))["loadbalancer"]
        return made

    async def until_active(self, load_balancer_id: str) -> None:
        """Look at it until it is not pending, as waiting clients do, only more often; then at all that is in it."""
        async with asyncio.timeout(WITHIN_S):
            for path in (f"/loadbalancers/{load_balancer_id}", f"/loadbalancers/{load_balancer_id}/status"):
                while PENDING in (told := json.dumps(await self.ask("GET", path))):
                    await asyncio.sleep(POLL_S)
                assert FAILED not in told

    async def until_all_are_active(self) -> None:
        """Look until there is none that is still to be made; few requests, as they are part of what is measured."""
        async with asyncio.timeout(WITHIN_S):
            while (await self.ask("GET", "/loadbalancers?provisioning_status=PENDING_CREATE&limit=1"))["loadbalancers"]:
                await asyncio.sleep(POLL_S)
        assert not (await self.ask("GET", "/loadbalancers?provisioning_status=ERROR&limit=1"))["loadbalancers"]


@pytest.fixture
def api(noop: TestWorld) -> Client:
    return Client(noop.facts.choices.ports.api)


@pytest.fixture(scope="module")
def subnet(noop: TestWorld) -> str:
    """The id of the subnet that VIPs come from."""
    import httpx

    listed = httpx.get(f"{noop.facts.api_url}/network/v2.0/subnets?name={SUBNET}").json()["subnets"]
    return str(listed[0]["id"])


def tree(subnet: str, *, listeners: int = 1, members: int = 2) -> dict[str, Any]:
    """A load balancer with all that usually is in one: monitored pools, members, a policy with a rule."""
    addresses = (f"10.1.{number // 250}.{number % 250 + 1}" for number in itertools.count())
    return {
        "vip_subnet_id": subnet,
        "listeners": [
            {
                "name": f"listener-{number}",
                "protocol": "HTTP",
                "protocol_port": 80 + number,
                "default_pool": {
                    "name": f"pool-{number}",
                    "protocol": "HTTP",
                    "lb_algorithm": "ROUND_ROBIN",
                    "healthmonitor": {"type": "HTTP", "delay": 5, "timeout": 2, "max_retries": 2},
                    "members": [{"address": next(addresses), "protocol_port": 80} for _ in range(members)],
                },
                "l7policies": [
                    {
                        "action": "REDIRECT_TO_URL",
                        "redirect_url": "http://example.org/",
                        "rules": [{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/old"}],
                    }
                ],
            }
            for number in range(listeners)
        ],
    }


@dataclass
class Times:
    """Milliseconds from the request to its answer, and until nothing is pending."""

    answer: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)

    def tell(self, figures: Figures, name: str, *, aims: tuple[str, str]) -> None:
        figures.tell(f"noop: {name}: answer", self.answer, "ms", note=f"aim: {aims[0]}")
        figures.tell(f"noop: {name}: ACTIVE", self.active, "ms", note=f"aim: {aims[1]}")

    def hold(self, figures: Figures, name: str, peer: float, *, most: tuple[float, float]) -> None:
        figures.hold(f"noop: {name} answered, to a bare append", statistics.median(self.answer), peer, most=most[0])
        figures.hold(f"noop: {name} ACTIVE, to a bare append", statistics.median(self.active), peer, most=most[1])


async def timed_each(api: Client, count: int, act: Callable[[int], Awaitable[str]]) -> Times:
    """Act so often, each time until nothing is pending; `act` gives the load balancer's id."""
    times = Times()
    for number in range(count):
        began = time.perf_counter()
        load_balancer_id = await act(number)
        times.answer.append((time.perf_counter() - began) * 1000)
        await api.until_active(load_balancer_id)
        times.active.append((time.perf_counter() - began) * 1000)
    return times


async def made(api: Client, wish: Mapping[str, Any]) -> str:
    return str((await api.create(wish))["id"])


async def burst(port: int, wishes: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Create all, so many at a time; how many a second were accepted, and ACTIVE."""
    left = iter(wishes)
    clients = [Client(port) for _ in range(AT_ONCE)]
    ids: list[str] = []

    async def create(client: Client) -> None:
        ids.extend([await made(client, wish) for wish in left])

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(create(client))
    accepted_s = time.perf_counter() - began
    await clients[0].until_active(ids[-1])
    await clients[0].until_all_are_active()
    return len(wishes) / accepted_s, len(wishes) / (time.perf_counter() - began)


async def test_a_burst_of_creations(noop: TestWorld, subnet: str, figures: Figures, tmp_path: Path) -> None:
    """First, as the others read and write beside what it leaves. A few before it: a world that has just begun is cold."""
    await burst(noop.facts.choices.ports.api, [{"vip_subnet_id": subnet}] * WARMING)
    wishes = [{"vip_subnet_id": subnet, "name": f"kept-{number}"} for number in range(KEPT)]
    before = processor_ms(noop)
    accepted, active = await burst(noop.facts.choices.ports.api, wishes)
    await asyncio.sleep(1.0)  # for what trails behind: it belongs to them, too
    took = {name: (ms - before[name]) / KEPT for name, ms in processor_ms(noop).items()}
    note = f"{KEPT} load balancers, {AT_ONCE} at a time"
    figures.tell("noop: burst of creations: accepted", [accepted], "/s", note=f"aim: 300; {note}")
    figures.tell("noop: burst of creations: ACTIVE", [active], "/s", note="aim: 100")
    parts = ", ".join(f"{name} {ms:.1f}" for name, ms in took.items())
    figures.tell("noop: burst of creations: processor's time of each", [sum(took.values())], "ms", note=parts)
    bare = AT_ONCE / await bare_append_ms(figures, tmp_path) * 1000
    figures.hold("noop: burst of creations accepted, to bare appends", bare, accepted, most=Most.BURST_ACCEPTED)
    figures.hold("noop: burst of creations ACTIVE, to bare appends", bare, active, most=Most.BURST_ACTIVE)


async def bare_append_ms(figures: Figures, folder: Path) -> float:
    """The mean of some at a time: who sends one at a time is let through on a machine that keeps us waiting."""
    found = await appends(folder, count=APPENDS, at_once=AT_ONCE)
    name = f"append to a synced log, {AT_ONCE} at a time, bare [peer]"
    figures.tell(name, found.took_ms, "ms", note=f"{found.per_s:.0f}/s")
    return statistics.mean(found.took_ms)


def processor_ms(noop: TestWorld) -> dict[str, float]:
    """How long each process of the world has kept a processor busy: what else the machine does changes that least."""
    return {name: _processor_ms(pid) for name, pid in pids(noop).items()}


def _processor_ms(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") * 1000


def pids(noop: TestWorld) -> dict[str, int]:
    names = (supervisor.NAME, *(process.name for process in supervisor.read_table(noop.facts)))
    records = {name: read_record(noop.facts.run, name) for name in names}
    return {name: record.pid for name, record in records.items() if record is not None}


async def test_creations_one_at_a_time(api: Client, subnet: str, figures: Figures, tmp_path: Path) -> None:
    alone = await timed_each(api, repeats(20, 200), lambda _: made(api, {"vip_subnet_id": subnet}))
    alone.tell(figures, "POST of a load balancer", aims=("10", "25"))
    whole = await timed_each(api, repeats(10, 100), lambda _: made(api, tree(subnet)))
    whole.tell(figures, "POST of a full tree", aims=("15", "50"))
    broad = await timed_each(api, repeats(3, 20), lambda _: made(api, tree(subnet, listeners=10, members=10)))
    broad.tell(figures, "POST of 10 listeners with 10 members each", aims=("-", "2000 on a booted spare"))
    bare = await bare_append_ms(figures, tmp_path)
    alone.hold(figures, "POST of a load balancer", bare, most=(Most.ANSWER, Most.ACTIVE))
    whole.hold(figures, "POST of a full tree", bare, most=(Most.TREE_ANSWER, Most.TREE_ACTIVE))


async def test_a_thousand_members_at_once(api: Client, subnet: str, figures: Figures) -> None:
    lb = await api.create(tree(subnet))
    await api.until_active(lb["id"])
    path = f"/pools/{lb['pools'][0]['id']}/members"

    async def replace(number: int) -> str:
        addresses = (f"10.{2 + number % 2}.{each // 250}.{each % 250 + 1}" for each in range(1000))
        await api.ask("PUT", path, {"members": [{"address": each, "protocol_port": 80} for each in addresses]})
        return str(lb["id"])

    alone = await timed_each(api, repeats(5, 20), lambda _: made(api, tree(subnet)))
    times = await timed_each(api, repeats(2, 10), replace)
    times.tell(figures, "PUT of 1,000 members", aims=("2000", "2000"))
    one, all_ = statistics.median(alone.active), statistics.median(times.active)
    figures.hold("noop: PUT of 1,000 members ACTIVE, to a tree of two", all_, one, most=Most.MEMBERS)


def test_reads(noop: TestWorld, subnet: str, figures: Figures) -> None:
    import httpx

    url = f"{noop.facts.api_url}{BASE}/loadbalancers"
    one = httpx.get(f"{url}?limit=1").json()["loadbalancers"][0]["id"]
    rates: dict[str, float] = {}
    for name, path, aim in (
        ("GET of one load balancer", f"{url}/{one}", "3000/s"),
        ("GET of a page of 100", f"{url}?limit=100", "500/s"),
        ("GET of all with a filter that fits one", f"{url}?name=kept-7", "-"),
    ):
        found = rate(path, connections=AT_ONCE, for_s=FOR_S)
        rates[name] = found.per_s
        figures.tell(f"noop: {name}", found.took_ms, "ms", note=f"{found.per_s:.0f}/s; aim: {aim}; {KEPT} exist")
    with hello() as address:
        bare = rate(address, connections=AT_ONCE, for_s=0.5)
    figures.tell("bare uvicorn, 600 bytes [peer]", bare.took_ms, "ms", note=f"{bare.per_s:.0f}/s")
    for (name, per_s), most in zip(rates.items(), (Most.GET, Most.PAGE, Most.FILTER), strict=True):
        figures.hold(f"noop: {name}, to a bare uvicorn's answer", bare.per_s, per_s, most=most)


def test_memory_at_rest(noop: TestWorld, figures: Figures) -> None:
    time.sleep(REST_S)  # rest is what is measured
    total = 0.0
    for name, pid in pids(noop).items():
        figures.tell(f"noop: memory: {name}", [pss := pss_mib(pid)], "MiB")
        total += pss
    figures.tell(
        "noop: memory: control plane with API",
        [total],
        "MiB",
        note=f"aim: 340; limit: {MEMORY_MOST_MIB}; {KEPT} load balancers exist",
    )
    assert total <= MEMORY_MOST_MIB
