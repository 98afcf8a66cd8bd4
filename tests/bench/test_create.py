"""From POST to ACTIVE and to the first answered request, where that time goes, and how often it waits for the disk."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from actium_embedded.running import describe
from bench.figures import Figures, repeats
from bench.peers import haproxy_starts, runs, synced_writes
from bench.traffic import ask, watching
from system.worlds import Tenant, TestWorld, await_value, commands_in, events

COMMITS_MOST = 7
STARTS_MOST = 15
"""From POST to ACTIVE in times of what an amphora must start, bare: an agent in Python, and haproxy. Four are usual."""

POLL_S = 0.005
WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One creation. Moments are milliseconds after the POST was sent, in the order of `moments`."""

    moments: dict[str, float]
    commits: int
    push_ms: float


def test_post_to_active_and_to_the_first_answer(
    world: TestWorld, tenant: Tenant, public: str, backends: dict[str, str], figures: Figures, tmp_path: Path
) -> None:
    lives = [create(world, tenant, public, backends["one"]) for _ in range(repeats(5, 30))]
    figures.tell("create: POST answered", of(lives, "POST answered"), "ms")
    active = figures.tell(
        "create: POST to ACTIVE, as a client sees it", of(lives, "ACTIVE seen"), "ms", note="aim: 2000"
    )
    figures.tell("create: POST to first answered request", of(lives, "first answer"), "ms", note="aim: 2000")
    for earlier, later in pairwise(STEPS):
        took = [b - a for a, b in zip(of(lives, earlier), of(lives, later), strict=True)]
        figures.tell(f"create:   {earlier} -> {later}", took, "ms")
    figures.tell("create:   of which the agent's work on the push", [life.push_ms for life in lives], "ms")
    bare = figures.tell("haproxy -W, bare, until it takes a connection [peer]", haproxy_starts(tmp_path, count=5), "ms")
    python = [str(Path(sys.executable).resolve()), "-S", "-c", "import asyncio, ssl"]
    agent = figures.tell("python, bare, importing asyncio and ssl [peer]", runs(python, count=5), "ms")
    commits = figures.tell("create: synced commits until ACTIVE", [life.commits for life in lives], "", note="limit: 7")
    figures.tell("append of 2 KiB and fsync, bare [peer]", synced_writes(world.folder, count=100), "ms")
    assert max(commits.values) <= COMMITS_MOST
    starts_ms = bare.median + agent.median
    figures.hold("create: POST to ACTIVE, to bare starts of what it runs", active.median, starts_ms, most=STARTS_MOST)


STEPS = (
    "POST sent",
    "VIP reserved",
    "load balancer created",
    "amphora appointed",
    "ports settled",
    "init started",
    "agent started",
    "haproxy started",
    "booted and configured",
    "bundle applied",
    "round ended",
    "ACTIVE seen",
)
EVENTS = {
    "vip.reserved": "VIP reserved",
    "loadbalancer.created": "load balancer created",
    "appliance.amphora-appointed": "amphora appointed",
    "port.settled": "ports settled",
    "amphora.configured": "booted and configured",
    "appliance.bundle-applied": "bundle applied",
    "loadbalancer.round-ended": "round ended",
}


def of(lives: list[Life], moment: str) -> list[float]:
    return [life.moments[moment] for life in lives]


def create(world: TestWorld, tenant: Tenant, public: str, member: str) -> Life:
    began = time.time()
    lb = tenant.create("loadbalancer", **web(public, member))
    answered = time.time()
    with watching(lambda: ask(lb["vip_address"])) as seen:
        await_value(lambda: status(tenant, lb["id"]), lambda found: found == "ACTIVE", WITHIN_S)
        active = time.time()
        first = await_value(lambda: next((each.at for each in seen if each.what), None), bool, WITHIN_S)
    moments = {"POST sent": began, "POST answered": answered, "ACTIVE seen": active, "first answer": first}
    told = list(until_active(world, lb["id"]))
    moments |= {EVENTS[each["type"]]: moment(each) for each in told if each["type"] in EVENTS}
    moments |= starts(world)
    tenant.request("DELETE", f"/loadbalancers/{lb['id']}?cascade=true")
    tenant.wait_gone(lb["id"])
    return Life(
        moments={name: (at - began) * 1000 for name, at in moments.items()},
        commits=len({each["position"] for each in told}),
        push_ms=next(each["body"]["took_ms"] for each in told if each["type"] == "amphora.configured"),
    )


def web(public: str, member: str) -> dict[str, Any]:
    pool = {
        "name": "pool",
        "protocol": "HTTP",
        "lb_algorithm": "ROUND_ROBIN",
        "members": [{"address": member, "protocol_port": 80}],
    }
    listener = {"name": "http", "protocol": "HTTP", "protocol_port": 80, "default_pool": pool}
    return {"name": "bench", "vip_subnet_id": public, "listeners": [listener]}


def status(tenant: Tenant, load_balancer_id: str) -> str:
    time.sleep(POLL_S)
    return str(tenant.show(load_balancer_id)["provisioning_status"])


def until_active(world: TestWorld, load_balancer_id: str) -> Iterator[dict[str, Any]]:
    """Give the story up to ACTIVE; what health says meanwhile is not waited for."""
    for event in events(world, "--load-balancer", load_balancer_id):
        if not event["type"].startswith("health."):
            yield event
        if event["type"] == "loadbalancer.round-ended":
            return


def moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def starts(world: TestWorld) -> dict[str, float]:
    """When the processes of the only amphora were started, to the kernel's 10 ms."""
    (amphora_id,) = world.amphorae()
    commands = commands_in(f"amphora-{amphora_id}") | commands_in(f"amphora-{amphora_id}-traffic")
    found = {}
    for name, words in (("init started", "/init"), ("agent started", "agent"), ("haproxy started", "haproxy -W")):
        pids = [pid for pid, command in commands.items() if words in command]
        found[name] = min(running.since for pid in pids if (running := describe(pid)))
    return found
