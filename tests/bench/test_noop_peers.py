"""
The same requests, one at a time by the same client, to us, to us behind a real Keystone, and to upstream.

Upstream stands on SQLite in memory and its no-op drivers, in the server of Python's own library; nothing follows its
answers. What is left of a difference after that is for whoever reads the figures to judge.
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
from bench.test_noop import BASE, SUBNET, tree
from differential import upstream
from differential.playing import ADMINISTRATOR
from real_keystone import server
from system.worlds import TestWorld, a_name, free_port

WITHIN_S = 120.0
TIMEOUT_S = 30.0
KEPT = repeats(100, 1000)
"""A page at least. Upstream takes a tenth of a second and more to make each."""


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


def measure(served: Served, figures: Figures, name: str) -> None:
    """Tell of reads beside so many load balancers, then of creations."""
    for number in range(KEPT):
        served.create({"vip_subnet_id": served.subnet, "name": f"kept-{number}"})
    served.settled()
    one = served.ask("GET", "/loadbalancers?limit=1")["loadbalancers"][0]["id"]
    reads = {"GET of one load balancer": f"/loadbalancers/{one}", "GET of a page of 100": "/loadbalancers?limit=100"}
    for what, path in reads.items():
        took: list[float] = []
        for _ in range(repeats(10, 200)):
            with timed(took):
                served.ask("GET", path)
        figures.tell(f"noop: one at a time: {what}{name}", took, "ms", note=f"{KEPT} exist")
    for what, wish in (
        ("POST of a load balancer", {"vip_subnet_id": served.subnet}),
        ("POST of a tree", tree(served.subnet)),
    ):
        took = []
        for _ in range(repeats(5, 50)):
            with timed(took):
                served.create(wish)
            served.settled()
        figures.tell(f"noop: one at a time: {what} answered{name}", took, "ms")


only_at_length = pytest.mark.skipif(not LONG, reason="takes a minute, and is compared with what is measured at length")


@contextmanager
def noop(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[TestWorld]:
    world = TestWorld(folder / "world", a_name("p"), environment=dict(environment or {}))
    world.up("--world", "noop", "--port", str(free_port()), *words)
    try:
        yield world
    finally:
        world.down(wipe=True)


def test_ours(tmp_path: Path, figures: Figures) -> None:
    with noop(tmp_path) as world:
        measure(Served(url=world.facts.api_url, headers={}, subnet=_subnet(world, {})), figures, "")


@only_at_length
def test_ours_behind_keystone(tmp_path: Path, figures: Figures) -> None:
    (folder := tmp_path / "keystone").mkdir()
    with server.running(folder) as keystone:
        service, one = keystone.make_project("service"), keystone.make_project("one")
        keystone.make_user("actium", roles={service: "service"})
        keystone.make_user("mia", roles={one: "member"})
        shell = {"OS_CLOUD": "", "OS_CLIENT_CONFIG_FILE": ""} | keystone.variables("actium", "service")
        with noop(tmp_path, "--auth", "keystone", environment=shell) as world:
            headers = {"X-Auth-Token": keystone.token("mia", "one")}
            served = Served(url=world.facts.api_url, headers=headers, subnet=_subnet(world, headers))
            measure(served, figures, ", by a token")
            took: list[float] = []
            for _ in range(repeats(5, 20)):
                new = Served(url=served.url, headers={"X-Auth-Token": keystone.token("mia", "one")}, subnet="")
                with timed(took):
                    new.ask("GET", "/loadbalancers?limit=1")
            figures.tell("noop: one at a time: first GET by a token that nobody has shown before", took, "ms")


@only_at_length
def test_upstream(tmp_path: Path, figures: Figures) -> None:
    with upstream.serving(tmp_path) as url:
        served = _Upstream(url=url, headers={**ADMINISTRATOR, "X-Plain": "yes"}, subnet=str(uuid4()))
        measure(served, figures, ", upstream [peer]")


class _Upstream(Served):
    """Nobody works there: all is done when we say so."""

    __slots__ = ()

    def settled(self) -> None:
        httpx.post(f"{self.url}/-/settle", timeout=TIMEOUT_S, trust_env=False).raise_for_status()


def _subnet(world: TestWorld, headers: Mapping[str, str]) -> str:
    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets?name={SUBNET}", headers=dict(headers))
    return str(listed.raise_for_status().json()["subnets"][0]["id"])
