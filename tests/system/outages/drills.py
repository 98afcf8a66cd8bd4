"""One drill: a load balancer that serves, something that befalls it, and how long clients had no answer."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from actium_embedded.probing import EVERY_S, Seen, probing
from actium_shared.embedded import amphora_namespace, traffic_namespace
from system.worlds import Tenant, TestWorld, await_value, commands_in, events, processes_in

SERVED_AGAIN_S = 30.0
STEADY_S = 0.4
"""Answered without a break for so long: it serves."""


@dataclass
class Site:
    """A world with back ends, and what is asked of it."""

    world: TestWorld
    tenant: Tenant
    subnets: dict[str, str]
    backends: dict[str, str]
    flavors: dict[str, str] = field(default_factory=dict)

    def flavor(self, **data: str | int) -> str:
        """Give the id of a flavor with this data."""
        name = ",".join(f"{key}={value}" for key, value in sorted(data.items()))
        if name not in self.flavors:
            body = {"name": name, "provider_name": "actium", "flavor_data": json.dumps(data)}
            profile = self.tenant.request("POST", "/flavorprofiles", flavorprofile=body)["flavorprofile"]
            flavor = {"name": name, "flavor_profile_id": profile["id"]}
            self.flavors[name] = self.tenant.request("POST", "/flavors", flavor=flavor)["flavor"]["id"]
        return self.flavors[name]

    def serving(self, flavor_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """Make a load balancer with one member, and give it once it answers."""
        return self.answering(self.ordered(flavor_id, **fields))

    def ordered(self, flavor_id: str | None = None, **fields: Any) -> str:
        """Ask for a load balancer with one member, and give its id."""
        chosen = {"flavor_id": flavor_id} if flavor_id else {}
        balancer = {"vip_subnet_id": self.subnets["public"], **chosen, **fields}
        member = {"address": self.backends["one"], "protocol_port": 80, "subnet_id": self.subnets["tenant-a"]}
        pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": [member]}
        listener = {"protocol": "HTTP", "protocol_port": 80, "default_pool": pool}
        body = {"name": "drill", "listeners": [listener], **balancer}
        return str(self.tenant.request("POST", "/loadbalancers", loadbalancer=body)["loadbalancer"]["id"])

    def answering(self, lb_id: str) -> dict[str, Any]:
        """Wait until all of a load balancer is ACTIVE and it answers."""
        lb = self.tenant.wait(lb_id, within_s=60)
        with probing(lb["vip_address"]) as seen:
            steady(seen)
        return lb

    @contextmanager
    def lasting(self, **data: str | int) -> Iterator[dict[str, Any]]:
        """Have one load balancer of a flavor with this data for a whole module, and nothing of it at the end."""
        lb = self.serving(self.flavor(**data))
        yield lb
        self.tenant.delete(lb["id"])
        self.tenant.wait_gone(lb["id"], within_s=60)
        self.without_spares()
        await_value(self.world.amphorae, lambda ids: not ids, 60)

    def amphorae(self, lb_id: str) -> list[dict[str, Any]]:
        """Give what the API shows of the amphorae in service, whole."""
        answer = self.tenant.http.get(f"{self.tenant.url}/v2/octavia/amphorae", params={"loadbalancer_id": lb_id})
        shown: list[dict[str, Any]] = answer.json()["amphorae"]
        return [each for each in shown if each["status"] == "ALLOCATED"]

    def spares(self, flavor_id: str, size: int) -> list[str]:
        """Wait until so many spares of the flavor are ready, and give them."""

        def ready() -> list[str]:
            answer = self.tenant.http.get(f"{self.tenant.url}/v2/octavia/amphorae", params={"status": "READY"})
            return [each["id"] for each in answer.json()["amphorae"]]

        found: list[str] = await_value(ready, lambda ids: len(ids) == size, 60)
        return found

    def without_spares(self) -> None:
        """Delete all flavors, and with them their spares."""
        for flavor_id in self.flavors.values():
            self.tenant.request("DELETE", f"/flavors/{flavor_id}")
        self.flavors.clear()

    def told(self, type_: str, amphora_ids: Collection[str]) -> list[dict[str, Any]]:
        """Give the events of a type about these amphorae."""
        told = [event["body"] for event in events(self.world, "--type", type_)]
        return [data for data in told if data.get("amphora_id") in amphora_ids]

    @contextmanager
    def stopped(self, amphora_id: str) -> Iterator[None]:
        """Have all its processes stop, and go on at the end as far as they are still there."""
        pids = processes_of(amphora_id)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def whole(self, lb_id: str, size: int, *, without: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Wait until so many amphorae are in service, none of them one of `without`, and everything is ACTIVE."""
        gone = set(without)

        def is_whole(found: list[dict[str, Any]]) -> bool:
            return len(found) == size and not gone & {each["id"] for each in found}

        found: list[dict[str, Any]] = await_value(lambda: self.amphorae(lb_id), is_whole, 60)
        self.tenant.wait(lb_id, within_s=60)
        return found


def routes(site: Site) -> dict[str, str]:
    """Give what the router leads to whom."""
    words = ["ip", "-n", site.world.facts.router_namespace, "route", "show", "proto", "172"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = [line.split() for line in shown.stdout.splitlines()]
    return {line[0]: line[2] for line in lines}


def holders(site: Site, lb: dict[str, Any]) -> list[str]:
    """Give the amphorae that have the VIP on an interface, or the address that it is routed to."""
    address = routes(site).get(lb["vip_address"], lb["vip_address"])
    found = []
    for amphora_id in site.world.amphorae():
        listed = subprocess.run(
            ["ip", "-n", traffic_namespace(amphora_id), "-o", "addr", "show"],
            capture_output=True,
            text=True,
            check=False,
        )
        if f" {address}/" in listed.stdout:
            found.append(amphora_id)
    return found


def holder(site: Site, lb: dict[str, Any]) -> str:
    """Wait until exactly one has the VIP, and give it."""
    found: list[str] = await_value(lambda: holders(site, lb), lambda ids: len(ids) == 1, 30)
    return found[0]


def dies_silently(_site: Site, amphora_id: str) -> None:
    """
    Its switch ports go down and everything in it stops: nobody is told anything.

    Stopped, not killed: of a machine that is off, compute would know, and switch it on again.
    """
    for namespace in (traffic_namespace(amphora_id), amphora_namespace(amphora_id)):
        for name in links(namespace):
            subprocess.run(["ip", "-n", namespace, "link", "set", name, "down"], check=False)
    for pid in processes_of(amphora_id):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def machine_dies(_site: Site, amphora_id: str) -> None:
    """It is off, from one moment to the next."""
    for pid in processes_of(amphora_id):
        kill(pid)


def processes_of(amphora_id: str) -> set[int]:
    return {*processes_in(traffic_namespace(amphora_id)), *processes_in(amphora_namespace(amphora_id))}


def links(namespace: str) -> list[str]:
    listed = subprocess.run(["ip", "-n", namespace, "-o", "link"], capture_output=True, text=True, check=False)
    names = [line.split(": ")[1].partition("@")[0] for line in listed.stdout.splitlines()]
    return [name for name in names if name != "lo"]


def haproxy_dies(_site: Site, amphora_id: str) -> None:
    """All of haproxy is killed at once; everything else of the amphora lives."""
    for pid, command in commands_in(traffic_namespace(amphora_id)).items():
        if command.startswith("haproxy "):
            kill(pid)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def steady(seen: Seen, *, within_s: float = SERVED_AGAIN_S) -> None:
    """Wait until nothing has failed for a while and answers come."""
    deadline = time.monotonic() + within_s
    failed, since, answers = seen.failed, time.monotonic(), len(seen.answered_at)
    while True:
        assert time.monotonic() < deadline, f"not steady within {within_s} s: {seen.failed} of {seen.asked} failed"
        time.sleep(0.01)
        if seen.failed != failed or len(seen.answered_at) == 0:
            failed, since, answers = seen.failed, time.monotonic(), len(seen.answered_at)
        elif time.monotonic() - since > STEADY_S and len(seen.answered_at) - answers > 10:
            return


def outage_ms(lb: dict[str, Any], befall: Callable[[], object], after: Callable[[], object] | None = None) -> float:
    """Give the longest time without an answer from the moment it befalls until all is steady, and `after` holds."""
    return outages_ms([lb], befall, after, every_s=EVERY_S)[0]


def outages_ms(
    balancers: Sequence[dict[str, Any]],
    befall: Callable[[], object],
    after: Callable[[], object] | None = None,
    *,
    every_s: float,
) -> list[float]:
    """Give the same for each of several that it befalls together."""
    with ExitStack() as stack:
        probes = [stack.enter_context(probing(lb["vip_address"], every_s=every_s)) for lb in balancers]
        all_steady(probes)
        began = time.monotonic()
        befall()
        time.sleep(0.1)  # whatever befell it may take a moment to be noticed by anybody
        all_steady(probes)
        if after is not None:
            after()
            all_steady(probes)
    return [probe.gap_ms(since=began - 0.05) for probe in probes]


def all_steady(probes: Sequence[Seen]) -> None:
    for probe in probes:
        steady(probe)
