"""Many changes at once, on real amphorae: a burst of them, a thousand members, a tree of ten listeners on a booted spare."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.figures import Figures, repeats, timed
from bench.peers import haproxy_starts
from bench.test_create import COMMITS_MOST, moment, until_active
from bench.test_noop import tree
from bench.test_weights import Haproxy, assert_by_runtime_commands, configured, prepared
from system.outages.drills import Site
from system.outages.pauses import paused
from system.worlds import Tenant, TestWorld, events

AT_ONCE = 4
CHANGES = 100
MEMBERS = 1000
WITHIN_S = 30.0

ROUNDS_HELD = 2
"""What the first change of a burst became, and all others together, where nothing can be applied meanwhile."""

ROUNDS_FREE = CHANGES // 2
"""Where rounds end as fast as they can. A fifth of the changes is usual; a slow disk has both take longer."""

CHANGES_MOST = 40
"""A thousand members cost no more than so many changes of one. Eight are usual."""

STARTS_MOST = 25
"""A tree on a booted spare takes so many bare starts of haproxy, of which it needs one itself. Six are usual."""

SPARE_COMMITS_MOST = COMMITS_MOST + 1
"""The pool says whose its spare is now, before it joins."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A load balancer whose members' weights are set, each by a connection of its own: so it is known which is the last."""

    site: Site
    lb: dict[str, Any]
    paths: list[str]

    def burst(self, first: int) -> float:
        """Set so many weights, counted up from `first`; how many a second were accepted."""
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(lambda at: self._weigh(at, range(first + at, first + CHANGES, AT_ONCE)), range(AT_ONCE)))
        return CHANGES / (time.perf_counter() - began)

    def _weigh(self, at: int, weights: range) -> None:
        with httpx.Client(base_url=f"{self.site.tenant.url}/v2.0/lbaas", timeout=WITHIN_S) as client:
            for weight in weights:
                client.put(self.paths[at], json={"member": {"weight": weight}}).raise_for_status()

    def assert_weights(self, first: int) -> None:
        """In haproxy's memory each member has the last word that was said of it."""
        last = range(first + CHANGES - AT_ONCE, first + CHANGES)
        assert Haproxy(self.site.world).weights() == " ".join(map(str, sorted(last, key=str)))

    def configurations(self) -> list[dict[str, Any]]:
        return configured(self.site.world, self.lb["id"])

    def bundles_cut(self) -> int:
        told = events(self.site.world, "--load-balancer", self.lb["id"])
        return sum(each["type"] == "appliance.bundle-cut" for each in told)


@pytest.fixture
def weighed(site: Site, public: str) -> Weighed:
    lb, _ = prepared(site.tenant, public, site.backends)
    pool = f"/pools/{lb['pools'][0]['id']}/members"
    for number in range(2, AT_ONCE):
        site.tenant.request("POST", pool, member={"address": f"10.1.0.{number}", "protocol_port": 80})
    site.tenant.wait(lb["id"])
    return Weighed(site, lb, [f"{pool}/{member['id']}" for member in site.tenant.request("GET", pool)["members"]])


def test_a_burst_of_changes(weighed: Weighed, figures: Figures) -> None:
    before = len(weighed.configurations())
    began = time.perf_counter()
    accepted_per_s = weighed.burst(0)
    weighed.site.tenant.wait(weighed.lb["id"])
    active_ms = (time.perf_counter() - began) * 1000
    weighed.assert_weights(0)
    made = weighed.configurations()[before:]
    note = assert_by_runtime_commands(made)
    figures.tell("changes: PUTs answered in a burst", [accepted_per_s], "/s", note=f"{AT_ONCE} at a time")
    figures.tell("changes: first PUT to everything ACTIVE", [active_ms], "ms", note=f"{CHANGES} PUTs")
    figures.tell(
        f"changes: configurations that {CHANGES} became", [len(made)], "", note=f"{note}; limit: {ROUNDS_FREE}"
    )
    assert len(made) <= ROUNDS_FREE


def test_a_burst_of_changes_that_nothing_can_apply_meanwhile_is_two_rounds(weighed: Weighed, figures: Figures) -> None:
    before, cut_before = len(weighed.configurations()), weighed.bundles_cut()
    with paused(weighed.site, "compute"):
        weighed.burst(0)
    weighed.site.tenant.wait(weighed.lb["id"])
    weighed.assert_weights(0)
    made, cut = weighed.configurations()[before:], weighed.bundles_cut() - cut_before
    note = f"{cut} bundles cut; limit: {ROUNDS_HELD}"
    figures.tell(f"changes: configurations of {CHANGES}, compute held", [len(made)], "", note=note)
    assert 1 <= len(made) <= ROUNDS_HELD
    assert 1 <= cut <= ROUNDS_HELD
    assert_by_runtime_commands(made)


def test_a_thousand_members_at_once(site: Site, public: str, figures: Figures) -> None:
    tenant = site.tenant
    lb, put = prepared(tenant, public, site.backends)
    path = f"/pools/{lb['pools'][0]['id']}/members"
    one: list[float] = []
    for number in range(10):
        with timed(one):
            put(number)
            tenant.wait(lb["id"])
    answered: list[float] = []
    active: list[float] = []
    for number in range(repeats(1, 10)):
        before = len(configured(site.world, lb["id"]))
        addresses = (f"10.{2 + number % 2}.{each // 250}.{each % 250 + 1}" for each in range(MEMBERS))
        members = [{"address": each, "protocol_port": 80} for each in addresses]
        with timed(active):
            with timed(answered):
                tenant.request("PUT", path, members=members)
            tenant.wait(lb["id"])
        served = {server.rpartition("/")[2] for server in Haproxy(site.world).servers}
        assert len(served) == MEMBERS
        made = configured(site.world, lb["id"])[before:]
        assert len(made) == 1  # by a reload: past some hundreds of commands it is quicker
    alone = figures.tell("changes: PUT of one member's weight to ACTIVE [peer]", one, "ms")
    figures.tell(f"changes: PUT of {MEMBERS} members answered", answered, "ms")
    found = figures.tell(f"changes: PUT of {MEMBERS} members to ACTIVE", active, "ms", note="aim: 2000")
    figures.hold(f"{MEMBERS} members at once to a change of one", found.median, alone.median, most=CHANGES_MOST)


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


def test_ten_listeners_on_a_booted_spare(site: Site, public: str, figures: Figures, tmp_path: Path) -> None:
    flavor = site.flavor(spare_pool_size=1)
    site.serving(flavor)  # from its first load balancer on, a flavor has spares
    answered: list[float] = []
    active: list[float] = []
    commits: list[int] = []
    for _ in range(repeats(1, 10)):
        (spare,) = site.spares(flavor, 1)
        began = time.time()
        with timed(active):
            with timed(answered):
                made = site.tenant.request("POST", "/loadbalancers", loadbalancer=wish(public, flavor))["loadbalancer"]
            site.tenant.wait(made["id"])
        assert spare in {each["id"] for each in site.amphorae(made["id"])}
        story = until_active(site.world, made["id"])
        commits.append(len({each["position"] for each in story if moment(each) >= began}))
        site.tenant.delete(made["id"])
        site.tenant.wait_gone(made["id"])
    figures.tell("changes: POST of 10 listeners answered", answered, "ms")
    found = figures.tell("changes: POST of 10 listeners to ACTIVE on a booted spare", active, "ms", note="aim: 2000")
    note = f"limit: {SPARE_COMMITS_MOST}"
    figures.tell("changes: synced commits until ACTIVE on a booted spare", commits, "", note=note)
    bare = figures.tell("haproxy -W, bare, until it takes a connection [peer]", haproxy_starts(tmp_path, count=5), "ms")
    figures.hold("10 listeners on a booted spare to haproxy's start", found.median, bare.median, most=STARTS_MOST)
    assert max(commits) <= SPARE_COMMITS_MOST


def wish(public: str, flavor_id: str) -> dict[str, Any]:
    return tree(public, listeners=10) | {"flavor_id": flavor_id}
