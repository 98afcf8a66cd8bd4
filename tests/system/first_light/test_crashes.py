"""
kill -9 of every service at every append, order, table write and effect of a create, an update and a delete.

A first run notes which points each service passes; then each of them is the place of a murder. Afterwards the work
must have finished by itself: nothing lost, doubled or pending, and traffic served all the while.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import pytest

from actium_embedded.backends import wished
from system.worlds import Tenant, TestWorld, a_name, answers, await_value, commands_in, events, free_port

SERVICES = ("network", "compute", "planner", "health", "api")
ONCE = (
    "vip.reserved",
    "vip.released",
    "loadbalancer.created",
    "loadbalancer.deleted",
    "appliance.created",
    "appliance.retired",
)
"""However often a service dies, these happen once in the life of a load balancer."""

QUICK_EVERY = 1 if os.environ.get("TESTS_LONG") else 20
"""Every how manieth place is tried; the rest, shifted, belongs to the long run."""


@dataclass
class Murders:
    """The folder in which services note what they pass and read where they shall die."""

    folder: Path

    def passed(self) -> list[tuple[str, str, int]]:
        """Give (service, point, n) for everything passed since `forget`."""
        found = []
        for service in SERVICES:
            counts: Counter[str] = Counter()
            for point in self._notes(service):
                counts[point] += 1
                found.append((service, point, counts[point]))
        return found

    def _notes(self, service: str) -> list[str]:
        file = self.folder / f"{service}.passed"
        return file.read_text().splitlines() if file.exists() else []

    def forget(self) -> None:
        for file in self.folder.glob("*.passed"):
            file.unlink()

    def wish(self, service: str, point: str, *, victim: int | None = None) -> Path:
        """Have the service, or the process `victim`, die when the service next passes the point."""
        file = self.folder / f"{service}.kill"
        file.write_text(f"{point} 1" + (f" {victim}" if victim else ""))
        return file


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestWorld, Murders]]:
    folder = tmp_path_factory.mktemp("crashes")
    murders = Murders(folder / "failpoints")
    world = TestWorld(folder / "world", a_name("d"), {"ACTIUM_FAILPOINTS_FOLDER": str(murders.folder)})
    world.up(port=free_port())
    try:
        world.actium("backend", "start", "one", "--network", "tenant-a")
        yield world, murders
    finally:
        world.down(wipe=True)


@pytest.fixture(scope="module")
def places(doomed: tuple[TestWorld, Murders]) -> list[tuple[str, str, str]]:
    """Live one life undisturbed and give every (act, service, point) of it, each once."""
    world, murders = doomed
    life = Life(world, Tenant(world.facts.api_url), subnet_ids(world))
    passed = []
    for act in ACTS:
        murders.forget()
        getattr(life, act)()
        seen = dict.fromkeys((service, point) for service, point, _ in murders.passed())
        passed += [(act, service, point) for service, point in seen]
    return passed


def subnet_ids(world: TestWorld) -> dict[str, str]:
    import httpx

    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
    return {subnet["name"]: subnet["id"] for subnet in listed}


class Life:
    """One load balancer's life in three acts, each repeatable by the client as a 503 tells it to."""

    def __init__(self, world: TestWorld, tenant: Tenant, subnets: dict[str, str]) -> None:
        self.world, self.tenant, self.subnets = world, tenant, subnets
        (self.backend,) = wished(world.facts)
        self.lb: dict[str, Any] = {}

    def create(self) -> None:
        self.lb = self.tenant.web(self.subnets["public"], (self.backend.address, self.subnets["tenant-a"]))
        await_value(lambda: answers(self.lb["vip_address"]), lambda names: names == ["one"], 20)

    def update(self) -> None:
        pool_id = self.lb["pools"][0]["id"]
        (member,) = self.tenant.request("GET", f"/pools/{pool_id}/members")["members"]
        with Traffic(self.lb["vip_address"]) as traffic:
            self.tenant.request("PUT", f"/pools/{pool_id}/members/{member['id']}", member={"weight": 5})
            self.tenant.request("PUT", f"/listeners/{self.lb['listeners'][0]['id']}", listener={"connection_limit": 99})
            self.tenant.wait(self.lb["id"])
        assert traffic.failures == 0, f"{traffic.failures} of {traffic.requests} requests failed"

    def delete(self) -> None:
        # A create whose answer got lost may have been done: the client finds what it made in the list.
        for lb in self.tenant.request("GET", "/loadbalancers")["loadbalancers"]:
            self.tenant.delete(lb["id"])
            self.tenant.wait_gone(lb["id"])
        await_value(self.world.amphorae, lambda ids: not ids, 20)


class Traffic:
    """Requests, one after the other, for as long as the block runs."""

    def __init__(self, address: str) -> None:
        self.address, self.requests, self.failures = address, 0, 0
        self._enough = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._enough.is_set():
            (name,) = answers(self.address)
            self.requests += 1
            self.failures += name != "one"


ACTS = ("create", "update", "delete")


def test_work_finishes_wherever_a_service_is_killed(
    doomed: tuple[TestWorld, Murders], places: list[tuple[str, str, str]]
) -> None:
    world, murders = doomed
    tenant, subnets = Tenant(world.facts.api_url), subnet_ids(world)
    assert len(places) > 40, places
    died = 0
    for number, (act, service, point) in enumerate(places):
        if number % QUICK_EVERY:
            continue
        life = Life(world, tenant, subnets)
        for each in ACTS:
            wish = murders.wish(service, point) if each == act else None
            getattr(life, each)()
            died += wish is not None and not wish.exists()
            if wish is not None:
                wish.unlink(missing_ok=True)
        _check_story(world, life.lb["id"], f"{service} killed at {point} during {act}")
    tried = len(places[::QUICK_EVERY])
    print(f"\n{died} of {tried} places were reached a second time and killed; {len(places)} places known")
    assert died >= tried // 2


@pytest.mark.parametrize("victim", ["nats-server", "agent"])
def test_work_finishes_wherever_the_bus_or_the_agent_is_killed(
    doomed: tuple[TestWorld, Murders], places: list[tuple[str, str, str]], victim: str
) -> None:
    world, murders = doomed
    tenant, subnets = Tenant(world.facts.api_url), subnet_ids(world)
    touches = ("append.", "order.") if victim == "nats-server" else ("agent.",)
    touched = [each for each in places if each[2].startswith(touches) and (victim != "agent" or each[0] == "update")]
    assert touched
    for number, (act, service, point) in enumerate(touched):
        if number % QUICK_EVERY:
            continue
        life = Life(world, tenant, subnets)
        for each in ACTS:
            wish = murders.wish(service, point, victim=_pid(world, victim)) if each == act else None
            getattr(life, each)()
            if wish is not None:
                wish.unlink(missing_ok=True)
        _check_story(world, life.lb["id"], f"{victim} killed at {service}'s {point} during {act}")


def _pid(world: TestWorld, victim: str) -> int:
    if victim != "agent":
        return world.pid(victim)
    (amphora_id,) = world.amphorae()
    commands = commands_in(f"amphora-{amphora_id}")
    return next(pid for pid, command in commands.items() if "-m actium_amphora_agent" in command)


def _check_story(world: TestWorld, lb_id: str, what: str) -> None:
    told = Counter(event["type"] for event in events(world, "--load-balancer", lb_id))
    for name in ONCE:
        assert told[name] == 1, f"{what}: {name} happened {told[name]} times"
    assert told["amphora.booted"] >= 1, what
    assert told["appliance.amphora-appointed"] == 1, f"{what}: another amphora was needed"
