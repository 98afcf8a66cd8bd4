"""A routed front end: VIPs that are on no wire, reached from the host through the router, however often their amphorae change."""

from system.outages.drills import Site, dies_silently, haproxy_dies, holder, outage_ms, routes
from system.worlds import await_value, events

ROUTED = {"front_end": "L3"}
PAIR = {**ROUTED, "loadbalancer_topology": "ACTIVE_STANDBY"}
NOT_BY_VERDICT_MS = 2500


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


def test_nothing_is_left_in_the_router(site: Site) -> None:
    lb = site.serving(site.flavor(**ROUTED))
    site.tenant.delete(lb["id"])
    site.tenant.wait_gone(lb["id"], within_s=60)
    await_value(lambda: routes(site), lambda led: not led, 30)
    *_, last = events(site.world, "--type", "route.settled")
    assert (last["body"]["vips"], last["body"]["routing_addresses"]) == ([], [])
