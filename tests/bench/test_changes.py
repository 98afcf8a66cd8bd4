"""Many changes at once, on real amphorae: a burst of them, a thousand members, a tree of ten listeners on a booted spare."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from bench.figures import Figures, repeats, timed
from bench.test_noop import tree
from bench.test_weights import Haproxy, prepared
from system.outages.drills import Site
from system.worlds import Tenant, TestWorld, events

AT_ONCE = 4
CHANGES = 100
MEMBERS = 1000
WITHIN_S = 30.0


def test_a_burst_of_changes(
    world: TestWorld, tenant: Tenant, public: str, backends: dict[str, str], figures: Figures
) -> None:
    """Each connection sets the weight of a member of its own, so that it is known which word is the last."""
    lb, _ = prepared(tenant, public, backends)
    pool = f"/pools/{lb['pools'][0]['id']}/members"
    for number in range(2, AT_ONCE):
        tenant.request("POST", pool, member={"address": f"10.1.0.{number}", "protocol_port": 80})
    tenant.wait(lb["id"])
    paths = [f"{pool}/{member['id']}" for member in tenant.request("GET", pool)["members"]]
    before, haproxy = len(configurations(world, lb["id"])), Haproxy(world)
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        each = CHANGES // AT_ONCE
        list(
            threads.map(lambda path: weigh(tenant.url, path, range(paths.index(path), each * AT_ONCE, AT_ONCE)), paths)
        )
    answered_s = time.perf_counter() - began
    tenant.wait(lb["id"])
    active_ms = (time.perf_counter() - began) * 1000
    assert haproxy.weights() == " ".join(str(weight) for weight in range(CHANGES - AT_ONCE, CHANGES))
    made = configurations(world, lb["id"])[before:]
    note = ", ".join(f"{count} {result}" for result, count in sorted(Counter(made).items()))
    figures.tell("changes: PUTs answered in a burst", [CHANGES / answered_s], "/s", note=f"{AT_ONCE} at a time")
    figures.tell("changes: first PUT to everything ACTIVE", [active_ms], "ms", note=f"{CHANGES} PUTs")
    figures.tell(f"changes: configurations that {CHANGES} became", [len(made)], "", note=note)
    assert len(made) < CHANGES


def weigh(url: str, path: str, weights: range) -> None:
    with httpx.Client(base_url=f"{url}/v2.0/lbaas", timeout=WITHIN_S) as client:
        for weight in weights:
            client.put(path, json={"member": {"weight": weight}}).raise_for_status()


def configurations(world: TestWorld, load_balancer_id: str) -> list[str]:
    """Give what each configuration of its amphora came to: by runtime commands, by a reload, or nothing new."""
    told = events(world, "--load-balancer", load_balancer_id)
    return [each["body"]["result"] for each in told if each["type"] == "amphora.configured"]


def test_a_thousand_members_at_once(
    world: TestWorld, tenant: Tenant, public: str, backends: dict[str, str], figures: Figures
) -> None:
    lb, _ = prepared(tenant, public, backends)
    path = f"/pools/{lb['pools'][0]['id']}/members"
    answered: list[float] = []
    active: list[float] = []
    for number in range(repeats(1, 10)):
        addresses = (f"10.{2 + number % 2}.{each // 250}.{each % 250 + 1}" for each in range(MEMBERS))
        members = [{"address": each, "protocol_port": 80} for each in addresses]
        with timed(active):
            with timed(answered):
                tenant.request("PUT", path, members=members)
            tenant.wait(lb["id"])
        served = {server.rpartition("/")[2] for server in Haproxy(world).servers}
        assert len(served) == MEMBERS
    figures.tell(f"changes: PUT of {MEMBERS} members answered", answered, "ms")
    figures.tell(f"changes: PUT of {MEMBERS} members to ACTIVE", active, "ms", note="aim: 2000")


@pytest.fixture
def site(world: TestWorld, tenant: Tenant, backends: dict[str, str]) -> Iterator[Site]:
    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
    subnets = {str(subnet["name"]): str(subnet["id"]) for subnet in listed}
    site = Site(world=world, tenant=tenant, subnets=subnets, backends=backends)
    yield site
    for lb in tenant.request("GET", "/loadbalancers")["loadbalancers"]:
        tenant.delete(lb["id"])
        tenant.wait_gone(lb["id"])
    site.without_spares()


def test_ten_listeners_on_a_booted_spare(site: Site, public: str, figures: Figures) -> None:
    flavor = site.flavor(spare_pool_size=1)
    site.serving(flavor)  # from its first load balancer on, a flavor has spares
    answered: list[float] = []
    active: list[float] = []
    for _ in range(repeats(1, 10)):
        (spare,) = site.spares(flavor, 1)
        with timed(active):
            with timed(answered):
                made = site.tenant.request("POST", "/loadbalancers", loadbalancer=wish(public, flavor))["loadbalancer"]
            site.tenant.wait(made["id"])
        assert spare in {each["id"] for each in site.amphorae(made["id"])}
        site.tenant.delete(made["id"])
        site.tenant.wait_gone(made["id"])
    figures.tell("changes: POST of 10 listeners answered", answered, "ms")
    figures.tell("changes: POST of 10 listeners to ACTIVE on a booted spare", active, "ms", note="aim: 2000")


def wish(public: str, flavor_id: str) -> dict[str, Any]:
    return tree(public, listeners=10) | {"flavor_id": flavor_id}
