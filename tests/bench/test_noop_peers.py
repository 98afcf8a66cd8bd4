"""
The same requests by the same client, one at a time and four, to us, to us behind a real Keystone, and to upstream.

Upstream stands on SQLite in memory and its no-op drivers, in one process and the server of Python's own library, and nothing
follows its answers: no worker, no queue, no Keystone. So it is faster here than where it really runs; ours is what it always is.
"""

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from bench.figures import LONG, Figures, repeats, timed
from bench.rates import rate
from bench.test_noop import BASE, SUBNET, pids, tree
from bench.test_stack import pss_mib
from differential import upstream
from differential.playing import ADMINISTRATOR
from real_keystone import server
from real_keystone.server import Keystone
from system.worlds import TestWorld, a_name, free_port

WITHIN_S = 120.0
TIMEOUT_S = 30.0
KEPT = repeats(100, 1000)
"""A page at least. Upstream takes a tenth of a second and more to make each."""

AT_ONCE = 4
FOR_S = 5.0 if LONG else 0.3
GET, PAGE, POST, TREE = "GET of one load balancer", "GET of a page of 100", "POST of a load balancer", "POST of a tree"
ALONE_MOST = {GET: 1 / 4, PAGE: 1 / 6, POST: 1.0, TREE: 1 / 1.5}
"""What ours takes one at a time, in upstream's times. Usual are a 17th, a 27th, half and a fifth."""

CROWD_MOST = {GET: 1 / 15, PAGE: 1 / 15, POST: 1.0}
"""The same by how many there are a second. Usual are a 50th and less; of creations, which ours carries on to ACTIVE, a fifth."""

KEYSTONE_MOST = 6
"""What ours takes by a token, in times of ours without. The same is usual: Keystone is asked about a token once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An API, and what everybody sends to it."""

    url: str
    headers: Mapping[str, str]
    subnet: str

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """By a connection of its own, as upstream's server closes each."""
        content = json.dumps(body).encode() if body is not None else None
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT_S)
        try:
            connection.request(method, BASE + path, content, {"Content-Type": "application/json", **self.headers})
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, told
        return json.loads(told) if told else None

    def create(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self.ask("POST", "/loadbalancers", {"loadbalancer": wish})["loadbalancer"]
        return made

    def settled(self) -> None:
        """Wait until nothing is pending: what is still being made would be measured with the rest."""
        give_up = time.monotonic() + WITHIN_S
        while self.ask("GET", "/loadbalancers?limit=1&provisioning_status=PENDING_CREATE")["loadbalancers"]:
            assert time.monotonic() < give_up, "load balancers stay PENDING_CREATE"
            time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Measured:
    """Of what was asked: the median's milliseconds one at a time, and how many a second at most; memory of the API's process."""

    took_ms: dict[str, float]
    per_s: dict[str, float]
    api_mib: float


def measure(served: Served, figures: Figures, name: str, *, api_pid: int) -> Measured:
    """Tell of reads beside so many load balancers, then of creations."""
    for number in range(KEPT):
        served.create({"vip_subnet_id": served.subnet, "name": f"kept-{number}"})
    served.settled()
    one = served.ask("GET", "/loadbalancers?limit=1")["loadbalancers"][0]["id"]
    took_ms: dict[str, float] = {}
    per_s: dict[str, float] = {}
    for what, path in {GET: f"/loadbalancers/{one}", PAGE: "/loadbalancers?limit=100"}.items():
        took: list[float] = []
        for _ in range(repeats(10, 200)):
            with timed(took):
                served.ask("GET", path)
        took_ms[what] = figures.tell(f"noop: one at a time: {what}{name}", took, "ms", note=f"{KEPT} exist").median
        per_s[what] = in_a_crowd(served, figures, f"{what}{name}", "GET", path)
    for what, wish in {POST: {"vip_subnet_id": served.subnet}, TREE: tree(served.subnet)}.items():
        took = []
        for _ in range(repeats(5, 50)):
            with timed(took):
                served.create(wish)
            served.settled()
        took_ms[what] = figures.tell(f"noop: one at a time: {what} answered{name}", took, "ms").median
    body = json.dumps({"loadbalancer": {"vip_subnet_id": served.subnet}}).encode()
    per_s[POST] = in_a_crowd(served, figures, f"{POST} accepted{name}", "POST", "/loadbalancers", body)
    served.settled()
    (mib,) = figures.tell(f"noop: memory: process of the API{name}", [pss_mib(api_pid)], "MiB").values
    return Measured(took_ms, per_s, mib)


def in_a_crowd(served: Served, figures: Figures, name: str, method: str, path: str, body: bytes = b"") -> float:
    """By connections that are kept where the server keeps them; how many a second."""
    url = f"{served.url}{BASE}{path}"
    found = rate(url, connections=AT_ONCE, for_s=FOR_S, method=method, bodies=(body,), headers=served.headers)
    figures.tell(f"noop: {AT_ONCE} at a time: {name}", found.took_ms, "ms", note=f"{found.per_s:.0f}/s")
    return found.per_s


only_at_length = pytest.mark.skipif(not LONG, reason="takes a minute, and is compared with what is measured at length")


@contextmanager
def noop(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[TestWorld]:
    world = TestWorld(folder / "world", a_name("p"), environment=dict(environment or {}))
    world.up("--world", "noop", "--port", str(free_port()), *words)
    try:
        yield world
    finally:
        world.down(wipe=True)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Measured:
    with noop(tmp_path_factory.mktemp("ours")) as world:
        served = Served(url=world.facts.api_url, headers={}, subnet=_subnet(world, {}))
        return measure(served, figures, "", api_pid=pids(world)["api"])


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Measured:
    with upstream.running(tmp_path_factory.mktemp("theirs")) as (url, pid):
        served = _Upstream(url=url, headers={**ADMINISTRATOR, "X-Plain": "yes"}, subnet=str(uuid4()))
        return measure(served, figures, ", upstream [peer]", api_pid=pid)


@pytest.fixture(scope="module")
def behind_keystone(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Measured:
    folder = tmp_path_factory.mktemp("keystone")
    with server.running(folder) as keystone:
        service, one = keystone.make_project("service"), keystone.make_project("one")
        keystone.make_user("actium", roles={service: "service"})
        keystone.make_user("mia", roles={one: "member"})
        shell = {"OS_CLOUD": "", "OS_CLIENT_CONFIG_FILE": ""} | keystone.variables("actium", "service")
        with noop(folder, "--auth", "keystone", environment=shell) as world:
            headers = {"X-Auth-Token": keystone.token("mia", "one")}
            served = Served(url=world.facts.api_url, headers=headers, subnet=_subnet(world, headers))
            tell_first_gets(served.url, keystone, figures)
            return measure(served, figures, ", by a token", api_pid=pids(world)["api"])


def tell_first_gets(url: str, keystone: Keystone, figures: Figures) -> None:
    took: list[float] = []
    for _ in range(repeats(5, 20)):
        new = Served(url=url, headers={"X-Auth-Token": keystone.token("mia", "one")}, subnet="")
        with timed(took):
            new.ask("GET", "/loadbalancers?limit=1")
    figures.tell("noop: one at a time: first GET by a token that nobody has shown before", took, "ms")


def test_a_token_costs_little(ours: Measured, behind_keystone: Measured, figures: Figures) -> None:
    for what, ms in behind_keystone.took_ms.items():
        figures.hold(f"noop: {what} by a token, to without", ms, ours.took_ms[what], most=KEYSTONE_MOST)
    for what, per_s in behind_keystone.per_s.items() if LONG else ():  # a brief crowd shows the machine's pauses
        figures.hold(f"noop: {AT_ONCE} at a time: {what} by a token", ours.per_s[what], per_s, most=KEYSTONE_MOST)


@only_at_length
def test_ours_is_faster_than_upstream_and_takes_less_memory(ours: Measured, theirs: Measured, figures: Figures) -> None:
    assert_better(ours, theirs, figures, "")


@only_at_length
def test_ours_behind_keystone_is(behind_keystone: Measured, theirs: Measured, figures: Figures) -> None:
    assert_better(behind_keystone, theirs, figures, " by a token")


def assert_better(ours: Measured, theirs: Measured, figures: Figures, name: str) -> None:
    for what, most in ALONE_MOST.items():
        figures.hold(f"noop: {what}{name}, to upstream", ours.took_ms[what], theirs.took_ms[what], most=most)
    for what, most in CROWD_MOST.items():
        told = f"noop: {AT_ONCE} at a time: {what}{name}, to upstream"
        figures.hold(told, theirs.per_s[what], ours.per_s[what], most=most)
    figures.hold(f"noop: memory: process of the API{name}, to upstream", ours.api_mib, theirs.api_mib, most=1.0)


class _Upstream(Served):
    """Nobody works there: all is done when we say so."""

    __slots__ = ()

    def settled(self) -> None:
        httpx.post(f"{self.url}/-/settle", timeout=TIMEOUT_S, trust_env=False).raise_for_status()


def _subnet(world: TestWorld, headers: Mapping[str, str]) -> str:
    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets?name={SUBNET}", headers=dict(headers))
    return str(listed.raise_for_status().json()["subnets"][0]["id"])
