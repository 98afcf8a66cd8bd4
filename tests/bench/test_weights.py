"""From PUT of a member's weight to its effect: in haproxy's memory, and on requests through the VIP."""

import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure, Figures, repeats, timed
from bench.peers import checks
from bench.traffic import Seen, ask, watching
from system.worlds import Tenant, TestWorld, await_value, commands_in, events

WITHIN_S = 10.0
SETTLED_AFTER_S = 0.1
"""Of requests in a tight loop: who was not asked for so long is not asked any more."""

CHECKS_MOST = 5
"""So many times what `haproxy -c` alone takes, which a reload begins with: 20 ms on a machine where 100 ms are the aim."""


def test_a_weight_reaches_haproxy(
    world: TestWorld, tenant: Tenant, public: str, backends: dict[str, str], figures: Figures, tmp_path: Path
) -> None:
    lb, put = prepared(tenant, public, backends)
    haproxy, before = Haproxy(world), len(configured(world, lb["id"]))
    effect, answered, active = [], [], []
    for number in range(repeats(20, 100)):
        weight = number % 2
        with watching(haproxy.weights) as seen:
            began = time.time()
            put(weight)
            answered.append((time.time() - began) * 1000)
            wanted = " ".join(sorted(("1", str(weight))))
            at = await_value(partial(first, seen, began, wanted), bool, WITHIN_S)
        effect.append((at - began) * 1000)
        tenant.wait(lb["id"])
        active.append((time.time() - began) * 1000)
    figures.tell("weight: PUT answered", answered, "ms")
    found = figures.tell("weight: PUT to effect in haproxy", effect, "ms", note="aim: p95 under 100, without reload")
    figures.tell("weight: PUT to everything ACTIVE again, as a client sees it", active, "ms")
    tell_work(configured(world, lb["id"])[before:], figures)
    own: list[float] = []
    for number in range(20):
        with timed(own):
            haproxy.ask(f"set server {haproxy.servers[0]} weight {number % 2}")
    figures.tell("weight: haproxy's own runtime command, bare [peer]", own, "ms")
    hold(found, figures, tmp_path)


def test_a_weight_reaches_the_requests(
    world: TestWorld, tenant: Tenant, public: str, backends: dict[str, str], figures: Figures, tmp_path: Path
) -> None:
    lb, put = prepared(tenant, public, backends)
    before = len(configured(world, lb["id"]))
    effect = []
    with watching(lambda: ask(lb["vip_address"])) as seen:
        await_value(lambda: {each.what for each in seen}, lambda names: names >= {"one", "two"}, WITHIN_S)
        for _ in range(repeats(10, 50)):
            effect.append(drained(seen, put))
            tenant.wait(lb["id"])
            began = time.time()
            put(1)
            at = await_value(partial(first, seen, began, "two"), bool, WITHIN_S)
            effect.append((at - began) * 1000)
            tenant.wait(lb["id"])
    lost = Counter(each.what for each in seen)[""]
    span_s = seen[-1].at - seen[0].at
    name = "weight: PUT to effect on requests through the VIP"
    found = figures.tell(name, effect, "ms", note="aim: p95 under 100, without reload")
    figures.tell("weight:   requests of one client meanwhile", [len(seen) / span_s], "/s", note=f"{lost} lost")
    assert_by_runtime_commands(configured(world, lb["id"])[before:])
    hold(found, figures, tmp_path)


def prepared(tenant: Tenant, public: str, backends: dict[str, str]) -> tuple[dict[str, Any], Callable[[int], None]]:
    """Give a load balancer with both back ends, and what sets the weight of the second one."""
    lb = tenant.web(public, (backends["one"], None), (backends["two"], None))
    pool_id = lb["pools"][0]["id"]
    members = tenant.request("GET", f"/pools/{pool_id}/members")["members"]
    member_id = next(member["id"] for member in members if member["address"] == backends["two"])

    def put(weight: int) -> None:
        tenant.request("PUT", f"/pools/{pool_id}/members/{member_id}", member={"weight": weight})

    return lb, put


def first(seen: list[Seen], after: float, wanted: str) -> float | None:
    """Give when this was first seen after that moment."""
    return next((each.at for each in list(seen) if each.at >= after and each.what == wanted), None)


def drained(seen: list[Seen], put: Callable[[int], None]) -> float:
    """Take the second back end out; milliseconds until its last answer."""
    began = time.time()
    put(0)

    def quiet_since() -> float:
        return max((each.at for each in list(seen) if each.what == "two"), default=0.0)

    await_value(quiet_since, lambda at: time.time() - at > SETTLED_AFTER_S, WITHIN_S)
    return max(quiet_since() - began, 0.0) * 1000


def configured(world: TestWorld, load_balancer_id: str) -> list[dict[str, Any]]:
    """Give what was told of each configuration that its amphora took, oldest first."""
    told = events(world, "--load-balancer", load_balancer_id)
    return [each["body"] for each in told if each["type"] == "amphora.configured"]


def tell_work(changes: list[dict[str, Any]], figures: Figures) -> None:
    note = assert_by_runtime_commands(changes)
    figures.tell("weight:   of which the agent's work", [each["took_ms"] for each in changes], "ms", note=note)


def assert_by_runtime_commands(changes: list[dict[str, Any]]) -> str:
    """No change came by a reload. Gives how many came by what, for people."""
    results = Counter(each["result"] for each in changes)
    assert results.keys() == {"runtime"}, results
    return ", ".join(f"{count} {result}" for result, count in sorted(results.items()))


def hold(effect: Figure, figures: Figures, folder: Path) -> None:
    bare = figures.tell("haproxy -c, bare [peer]", checks(folder, count=10), "ms")
    figures.hold(f"{effect.name}, p95, to haproxy -c", effect.p95, bare.median, most=CHECKS_MOST)


class Haproxy:
    """The statistics socket of the only amphora's haproxy, reached from outside through a process that sees it."""

    def __init__(self, world: TestWorld) -> None:
        (amphora_id,) = world.amphorae()
        commands = commands_in(f"amphora-{amphora_id}-traffic")
        pid = next(pid for pid, command in commands.items() if command.startswith("haproxy"))
        self._path = f"/proc/{pid}/root/run/amphora/haproxy.sock"
        pairs = re.findall(r"^\d+ (\S+) \d+ (\S+) ", self.ask("show servers state"), re.MULTILINE)
        self.servers = ["/".join(pair) for pair in pairs]

    def weights(self) -> str:
        """Give the weights of all servers, ordered by size."""
        return " ".join(sorted(self.ask(f"get weight {server}").split()[0] for server in self.servers))

    def ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(self._path)
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
