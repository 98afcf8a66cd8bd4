"""
A failover for practice: what carries a load balancer is exchanged while a client asks each few milliseconds.

What the client noticed is printed, and put on the log. `planned` is what `openstack loadbalancer failover` does; `kill`
has the amphora that serves removed at once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from actium_embedded.errors import WorldError
from actium_embedded.operator_api import ask
from actium_embedded.probing import EVERY_S, Seen, probing
from actium_embedded.terminal import Step, step
from actium_embedded.world import World

PLANNED, KILL = "planned", "kill"
FIRST_ANSWERS = 20
FIRST_ANSWERS_WITHIN_S = 3.0
AFTERWARDS_S = 0.5
"""Probed on when all is in place again: what is late is noticed too."""

POLL_S = 0.1

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`gap_ms` is the longest time between two good answers; `whole_s` how long it took until all was in place again."""

    gap_ms: float
    probes: int
    failed: int
    whole_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    load_balancer_id: str
    name: str
    address: str
    port: int


def target(world: World, wanted: str, *, port: int | None) -> Target:
    """
    Find the load balancer by id or name, and where it can be asked.

    Raises:
        WorldError: there is none, more than one, or none that answers to HTTP.
    """
    balancer = _load_balancer(world, wanted)
    return Target(
        load_balancer_id=balancer["id"],
        name=balancer["name"] or balancer["id"],
        address=balancer["vip_address"],
        port=port or _port(world, balancer),
    )


def run(world: World, at: Target, *, kind: str, within_s: float) -> Measured:
    """
    Exchange what carries it, measure, and have the log keep it.

    Raises:
        WorldError: it does not answer before, does not come back in time, or cannot be exchanged.
    """
    with probing(at.address, at.port) as seen, step(f"{kind} drill of {at.name}") as current:
        _await_answers(at, seen, current)
        before = _amphorae(world, at)
        if not before:
            raise WorldError(f"no amphora carries {at.name}: there is nothing to exchange")
        began_at, asked, failed = time.monotonic(), seen.asked, seen.failed
        leaving = _begin(world, at, before, kind=kind)
        current.says("exchanging " + ", ".join(each[:8] for each in leaving))
        _await_whole(world, at, leaving=leaving, count=len(before), within_s=within_s)
        whole_s = time.monotonic() - began_at
        time.sleep(AFTERWARDS_S)
        current.says("")
    measured = Measured(
        gap_ms=_gap_ms(seen, began_at), probes=seen.asked - asked, failed=seen.failed - failed, whole_s=whole_s
    )
    _record(world, at, measured, kind=kind)
    return measured


def _gap_ms(seen: Seen, began_at: float) -> float:
    """The answer before counts too: the gap may have begun at once."""
    earlier = [at for at in seen.answered_at if at < began_at]
    return seen.gap_ms(since=max(earlier, default=began_at))


def _await_answers(at: Target, seen: Seen, current: Step) -> None:
    current.says(f"asking http://{at.address}:{at.port}/ each {1000 * EVERY_S:.0f} ms")
    deadline = time.monotonic() + FIRST_ANSWERS_WITHIN_S
    while len(seen.answered_at) < FIRST_ANSWERS:
        if time.monotonic() > deadline:
            raise WorldError(
                f"http://{at.address}:{at.port}/ did not answer {FIRST_ANSWERS} times with 200 in "
                f"{FIRST_ANSWERS_WITHIN_S:.0f} s ({seen.failed} of {seen.asked} failed): nothing to interrupt"
            )
        time.sleep(POLL_S / 10)


def _begin(world: World, at: Target, before: Sequence[Item], *, kind: str) -> list[str]:
    """Ask for the exchange; give whom it takes away."""
    if kind == PLANNED:
        ask(world, "PUT", f"/v2/lbaas/loadbalancers/{at.load_balancer_id}/failover")
        return [each["id"] for each in before]
    serving = [each for each in before if len(before) == 1 or each["vrrp_state"] == "MASTER"]
    if not serving:
        raise WorldError(f"no amphora of {at.name} says that it is MASTER: nobody knows which one serves")
    ask(world, "DELETE", f"/v2/octavia/amphorae/{serving[0]['id']}")
    return [serving[0]["id"]]


def _await_whole(world: World, at: Target, *, leaving: Sequence[str], count: int, within_s: float) -> None:
    """Return when as many serve as before, none of those that leave among them, and the round is over."""
    deadline = time.monotonic() + within_s
    while True:
        there = _amphorae(world, at)
        path = f"/v2/lbaas/loadbalancers/{at.load_balancer_id}"
        status = ask(world, "GET", path)["loadbalancer"]["provisioning_status"]
        whole = len(there) >= count and all(each["status"] == "ALLOCATED" for each in there)
        if whole and status == "ACTIVE" and not {each["id"] for each in there} & {*leaving}:
            return
        if time.monotonic() > deadline:
            standing = ", ".join(f"{each['id'][:8]} {each['status']}" for each in there) or "none"
            raise WorldError(
                f"{at.name} is not whole again after {within_s:.0f} s: it is {status}, its amphorae: {standing}; "
                f"`./actium events show {at.load_balancer_id}` tells why"
            )
        time.sleep(POLL_S)


def _amphorae(world: World, at: Target) -> list[Item]:
    found: list[Item] = ask(world, "GET", "/operator/v1/amphorae")["amphorae"]
    return [each for each in found if any(one["id"] == at.load_balancer_id for one in each["load_balancers"])]


def _record(world: World, at: Target, measured: Measured, *, kind: str) -> None:
    drill = {
        "kind": kind,
        "gap_ms": round(measured.gap_ms, 1),
        "probes": measured.probes,
        "failed": measured.failed,
        "interval_ms": 1000 * EVERY_S,
    }
    ask(world, "POST", f"/operator/v1/load-balancers/{at.load_balancer_id}/drills", drill)


def _load_balancer(world: World, wanted: str) -> Item:
    path = "/v2/lbaas/loadbalancers"
    for field in ("id", "name"):
        found: list[Item] = ask(world, "GET", f"{path}?{field}={quote(wanted, safe='')}")["loadbalancers"]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(each["id"] for each in found)
            raise WorldError(f"{len(found)} load balancers are called {wanted!r}: {ids}; say which by its id")
    raise WorldError(f"no load balancer is called {wanted!r}")


def _port(world: World, balancer: Item) -> int:
    for listener in balancer["listeners"]:
        found = ask(world, "GET", f"/v2/lbaas/listeners/{listener['id']}")["listener"]
        if found["protocol"] == "HTTP" and found["admin_state_up"]:
            return int(found["protocol_port"])
    raise WorldError(
        f"{balancer['name'] or balancer['id']} has no listener of HTTP to ask; with --port one of another protocol is "
        "asked in HTTP all the same"
    )
