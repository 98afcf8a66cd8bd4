"""ACTIVE_STANDBY: the partner takes over within moments, and the pair becomes whole again without anybody noticing."""

from system.outages.drills import Site, dies_silently, haproxy_dies, holder, outage_ms
from system.worlds import await_value, events

PAIR = {"loadbalancer_topology": "ACTIVE_STANDBY"}
NOT_BY_VERDICT_MS = 2500
"""Health judges after three seconds: what is over before that, the pair did itself."""


def test_a_pair_is_on_two_hosts_and_one_of_it_has_the_address(site: Site) -> None:
    lb = site.serving(site.flavor(**PAIR))
    both = site.whole(lb["id"], 2)
    assert sorted(each["role"] for each in both) == ["BACKUP", "MASTER"]
    hosts = {event["host"] for event in site.told("amphora.booted", {each["id"] for each in both})}
    assert len(hosts) == 2
    assert holder(site, lb) in {each["id"] for each in both}


def test_the_standby_takes_over_from_a_dead_master_and_the_pair_becomes_whole_unnoticed(site: Site) -> None:
    lb = site.serving(site.flavor(**PAIR))
    both = {each["id"] for each in site.whole(lb["id"], 2)}
    dead = holder(site, lb)
    gap = outage_ms(lb, lambda: dies_silently(site, dead))
    assert gap < NOT_BY_VERDICT_MS
    (heir,) = both - {dead}
    assert holder(site, lb) == heir
    second = outage_ms(lb, lambda: None, lambda: site.whole(lb["id"], 2, without=[dead]))
    assert second < 500  # no second interruption: a probe that waited for a busy machine is none
    assert holder(site, lb) == heir
    await_value(site.world.amphorae, lambda ids: dead not in ids, 30)


def test_the_standby_takes_over_when_haproxy_dies(site: Site) -> None:
    lb = site.serving(site.flavor(**PAIR))
    site.whole(lb["id"], 2)
    master = holder(site, lb)
    assert outage_ms(lb, lambda: haproxy_dies(site, master)) < NOT_BY_VERDICT_MS
    assert holder(site, lb) != master


def test_a_planned_failover_replaces_both(site: Site) -> None:
    lb = site.serving(site.flavor(**PAIR))
    before = [each["id"] for each in site.whole(lb["id"], 2)]
    path = f"/loadbalancers/{lb['id']}/failover"
    gap = outage_ms(
        lb,
        lambda: site.tenant.request("PUT", path, expect=202),
        lambda: site.whole(lb["id"], 2, without=before),
    )
    assert gap < NOT_BY_VERDICT_MS
    assert holder(site, lb) not in before


def test_nothing_is_left_of_a_pair(site: Site) -> None:
    lb = site.serving(site.flavor(**PAIR))
    site.tenant.delete(lb["id"])
    site.tenant.wait_gone(lb["id"], within_s=60)
    await_value(site.world.amphorae, lambda ids: not ids, 30)
    assert list(events(site.world, "--type", "appliance.retired"))
