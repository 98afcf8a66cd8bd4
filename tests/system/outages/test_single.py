"""SINGLE: what dies is replaced, and what shall be replaced serves until its successor can."""

import time

from system.outages.drills import Site, dies_silently, haproxy_dies, holder, machine_dies, outage_ms
from system.worlds import answers, await_value, events


def test_a_dead_amphora_is_replaced_by_a_new_one(site: Site) -> None:
    lb = site.serving()
    dead = holder(site, lb)
    outage_ms(lb, lambda: dies_silently(site, dead), lambda: site.whole(lb["id"], 1, without=[dead]))
    assert holder(site, lb) != dead
    await_value(site.world.amphorae, lambda ids: dead not in ids, 30)
    told = [event for event in events(site.world, "--type", "liveness.amphora-lost") if dead in str(event)]
    assert len(told) == 1


def test_a_spare_takes_the_place_of_a_dead_one_and_is_made_up_for(site: Site) -> None:
    flavor = site.flavor(spare_pool_size=1)
    lb = site.serving(flavor)
    (spare,) = site.spares(flavor, 1)
    dead = holder(site, lb)
    outage_ms(lb, lambda: dies_silently(site, dead), lambda: site.whole(lb["id"], 1, without=[dead]))
    assert holder(site, lb) == spare
    assert spare not in site.spares(flavor, 1)


def test_a_planned_failover_moves_everything_and_ends_active(site: Site) -> None:
    lb = site.serving()
    before = holder(site, lb)
    path = f"/loadbalancers/{lb['id']}/failover"
    gap = outage_ms(
        lb,
        lambda: site.tenant.request("PUT", path, expect=202),
        lambda: site.whole(lb["id"], 1, without=[before]),
    )
    assert holder(site, lb) != before
    assert gap < 1000  # a boot takes as long: its successor ran before it went


def test_haproxy_that_dies_is_started_again_by_its_amphora(site: Site) -> None:
    lb = site.serving()
    before = holder(site, lb)
    outage_ms(lb, lambda: haproxy_dies(site, before))
    assert holder(site, lb) == before


def test_a_machine_that_is_off_is_switched_on_again(site: Site) -> None:
    lb = site.serving()
    outage_ms(lb, lambda: machine_dies(site, holder(site, lb)), lambda: site.whole(lb["id"], 1))
    assert answers(lb["vip_address"], count=5) == ["one"] * 5


def test_one_that_comes_back_from_the_dead_does_not_answer_for_the_address(site: Site) -> None:
    """Stopped for longer than the limit, it is replaced; then it goes on, and must not disturb who serves now."""
    lb = site.serving()
    before = holder(site, lb)
    with site.stopped(before):
        site.whole(lb["id"], 1, without=[before])
        assert answers(lb["vip_address"], count=5) == ["one"] * 5
    time.sleep(0.5)  # long enough for what went on to say something, were it let
    assert answers(lb["vip_address"], count=20) == ["one"] * 20
