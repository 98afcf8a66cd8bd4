"""A routed front end: VIPs that are on no wire, reached from the host through the router, however often their amphorae change."""

import os
import subprocess
import time
from contextlib import ExitStack
from typing import Any

import pytest

from actium_embedded.probing import probing
from actium_shared.embedded import traffic_namespace
from system.first_light.worlds import await_value, events
from system.outages.drills import Site, dies_silently, haproxy_dies, outage_ms, steady

ROUTED = {"front_end": "L3"}
PAIR = {**ROUTED, "loadbalancer_topology": "ACTIVE_STANDBY"}
MANY = 24
EVERY_S = 0.02
"""For many clients at once: they all live in this one process, which would measure itself."""

NOT_BY_VERDICT_MS = 2500


def routes(site: Site) -> dict[str, str]:
    """What the router leads to whom."""
    shown = _ip(site.world.facts.router_namespace, "route", "show", "proto", "172")
    words = [line.split() for line in shown.splitlines()]
    return {each[0]: each[2] for each in words}


def holder(site: Site, lb: dict[str, Any]) -> str:
    """Wait until exactly one amphora has the address that the VIP is led to, and give it."""
    via = routes(site)[lb["vip_address"]]

    def holders() -> list[str]:
        return [one for one in site.world.amphorae() if f" {via}/" in _ip(traffic_namespace(one), "-o", "addr", "show")]

    found: list[str] = await_value(holders, lambda ids: len(ids) == 1, 30)
    return found[0]


def _ip(namespace: str, *words: str) -> str:
    return subprocess.run(["ip", "-n", namespace, *words], capture_output=True, text=True, check=False).stdout


def test_one_alone_is_reached_through_the_router_and_replaced_when_it_dies(site: Site) -> None:
    lb = site.serving(site.flavor(**ROUTED))
    assert list(routes(site)) == [lb["vip_address"]]
    dead = holder(site, lb)
    outage_ms(lb, lambda: dies_silently(site, dead), lambda: site.whole(lb["id"], 1, without=[dead]))
    assert holder(site, lb) != dead


def test_a_planned_failover_moves_the_routing_address(site: Site) -> None:
    lb = site.serving(site.flavor(**ROUTED))
    before = holder(site, lb)
    path = f"/loadbalancers/{lb['id']}/failover"
    gap = outage_ms(
        lb,
        lambda: site.tenant.request("PUT", path, expect=202),
        lambda: site.whole(lb["id"], 1, without=[before]),
    )
    assert holder(site, lb) != before
    assert gap < 1000


def test_the_standby_of_a_pair_takes_over(site: Site) -> None:
    lb = site.serving(site.flavor(**PAIR))
    both = {each["id"] for each in site.whole(lb["id"], 2)}
    master = holder(site, lb)
    assert outage_ms(lb, lambda: haproxy_dies(site, master)) < NOT_BY_VERDICT_MS
    dead = holder(site, lb)
    assert dead == (both - {master}).pop()
    assert outage_ms(lb, lambda: dies_silently(site, dead)) < NOT_BY_VERDICT_MS
    site.whole(lb["id"], 2, without=[dead])


@pytest.mark.skipif(not os.environ.get("TESTS_LONG"), reason="making two dozen takes a minute: only in the long run")
def test_two_dozen_share_a_pair_and_one_address_moves_for_all_of_them(site: Site) -> None:
    flavor = site.flavor(**PAIR, load_balancers_per_appliance=MANY)
    balancers = [site.serving(flavor, name=f"drill-{number}") for number in range(MANY)]
    led = routes(site)
    assert set(led) == {lb["vip_address"] for lb in balancers}
    assert len(set(led.values())) == 1
    assert len(site.whole(balancers[0]["id"], 2)) == len(site.world.amphorae()) == 2
    master = holder(site, balancers[0])
    watched = balancers[:: MANY // 6]
    with ExitStack() as stack:
        probes = [stack.enter_context(probing(lb["vip_address"], every_s=EVERY_S)) for lb in watched]
        for probe in probes:
            steady(probe)
        since = time.monotonic()
        dies_silently(site, master)
        time.sleep(0.1)
        for probe in probes:
            steady(probe)
    gaps = [probe.gap_ms(since=since - 0.05) for probe in probes]
    print(f"{MANY} load balancers: {sorted(round(gap) for gap in gaps)} ms")
    assert max(gaps) < NOT_BY_VERDICT_MS
    assert holder(site, balancers[0]) != master


def test_nothing_is_left_in_the_router(site: Site) -> None:
    lb = site.serving(site.flavor(**ROUTED))
    site.tenant.delete(lb["id"])
    site.tenant.wait_gone(lb["id"], within_s=60)
    await_value(lambda: routes(site), lambda led: not led, 30)
    *_, last = events(site.world, "--type", "route.settled")
    assert (last["body"]["vips"], last["body"]["routing_addresses"]) == ([], [])
