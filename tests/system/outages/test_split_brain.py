"""Networks that are cut in the middle: two may think for a moment that they are the one, and never for longer than a bound."""

import dataclasses
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

from actium_health.settings import HealthSettings
from actium_planner.settings import PlannerSettings
from system.outages.claims import Claims, claims_of
from system.outages.cuts import cut_between, unheard
from system.outages.drills import Site, holder, outage_ms
from system.worlds import await_value

PAIR = {"loadbalancer_topology": "ACTIVE_STANDBY"}

ROOM_S = 3.0
"""From a deadline on the log to links that are cut, on a machine that does much else besides."""

HANDOVER_S = 0.5
"""So long two may answer while one takes over: the old one is only then told, or cut off."""

LONG = "TESTS_LONG" in os.environ

UNNOTICED_MS = 500
"""A probe that waited for a busy machine is no interruption."""

Pair = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


def default_s(settings: type[PlannerSettings | HealthSettings], name: str) -> float:
    (default,) = (field.default for field in dataclasses.fields(settings) if field.name == name)
    assert isinstance(default, float)
    return default


SPLIT_S = default_s(PlannerSettings, "split_s")
SILENT_S = default_s(HealthSettings, "silent_most_s")


@pytest.fixture(scope="module")
def load_balancer(drilled_world: Site) -> Iterator[dict[str, Any]]:
    with drilled_world.lasting(**PAIR) as lb:
        yield lb


@pytest.fixture
def site(drilled_world: Site) -> Site:
    """Without the others' cleaning up: all here have the same load balancer."""
    return drilled_world


@pytest.fixture
def pair(site: Site, load_balancer: dict[str, Any]) -> Pair:
    """A load balancer, its master, its standby."""
    both = {amphora["id"]: amphora for amphora in site.whole(load_balancer["id"], 2)}
    master = both.pop(holder(site, load_balancer))
    (standby,) = both.values()
    return load_balancer, master, standby


def asked(site: Site, lb: dict[str, Any]) -> AbstractContextManager[Claims]:
    return claims_of(lb["vip_address"], site.world.facts.host_link)


def alone(claims: Claims) -> bool:
    """Say whether only one has answered of late."""
    return len(claims.claimants(since=time.monotonic() - 0.3)) == 1


def test_two_masters_are_ended_and_the_pair_becomes_whole(site: Site, pair: Pair) -> None:
    lb, master, standby = pair
    with asked(site, lb) as claims, cut_between(site, master, standby):
        await_value(claims.contested_s, lambda seconds: seconds > 0.1, 10)
        whole = site.whole(lb["id"], 2, without=[master["id"]])
        assert alone(claims)
    bound_s = SPLIT_S + ROOM_S
    print(f"\ntwo answered for {claims.contested_s():.2f} s; bound {bound_s:.1f} s: split_s and {ROOM_S} s")
    assert claims.contested_s() < bound_s
    assert standby["id"] in {each["id"] for each in whole}, "the one that became master last had to stay"
    assert holder(site, lb) == standby["id"]
    (dismissed,) = site.told("appliance.amphora-dismissed", [master["id"]])
    assert "MASTER" in dismissed["reason"]
    assert site.told("appliance.amphora-fenced", [master["id"]])


@pytest.mark.skipif(not LONG, reason="waits for nothing to happen: in the long run")
def test_a_cut_that_is_healed_at_once_costs_nobody_his_place(site: Site, pair: Pair) -> None:
    lb, master, standby = pair
    with asked(site, lb) as claims:
        with cut_between(site, master, standby):
            await_value(claims.contested_s, lambda seconds: seconds > 0.1, 10)
        await_value(lambda: alone(claims), bool, SPLIT_S)
        time.sleep(SPLIT_S + 1)  # were there a verdict, it would have come by now
        assert alone(claims)
    assert {each["id"] for each in site.whole(lb["id"], 2)} == {master["id"], standby["id"]}
    assert not site.told("appliance.amphora-dismissed", [master["id"], standby["id"]])


def test_a_standby_that_nobody_hears_is_replaced_unnoticed(site: Site, pair: Pair) -> None:
    lb, master, standby = pair
    with ExitStack() as stack:
        claims = stack.enter_context(asked(site, lb))
        gap = outage_ms(
            lb,
            lambda: stack.enter_context(unheard(site, standby["id"])),
            lambda: site.whole(lb["id"], 2, without=[standby["id"]]),
        )
    assert gap < UNNOTICED_MS
    assert holder(site, lb) == master["id"]
    assert claims.contested_s() == 0
    assert site.told("liveness.amphora-lost", [standby["id"]])


def test_a_master_that_nobody_hears_is_cut_off_and_its_partner_serves(site: Site, pair: Pair) -> None:
    """It serves, and nobody can know: it has to go before another one comes, and what clients see is the pair's own switch."""
    lb, master, standby = pair
    with ExitStack() as stack:
        claims = stack.enter_context(asked(site, lb))
        began = time.monotonic()
        gap = outage_ms(
            lb,
            lambda: stack.enter_context(unheard(site, master["id"])),
            lambda: site.whole(lb["id"], 2, without=[master["id"]]),
        )
    took = time.monotonic() - began
    print(
        f"\nno answer for {gap:.0f} ms; two answered for {1000 * claims.contested_s():.0f} ms; whole after {took:.1f} s"
    )
    assert gap < 1000 * SILENT_S  # it served until it was cut off
    assert claims.contested_s() < HANDOVER_S
    assert holder(site, lb) == standby["id"]
    assert site.told("appliance.amphora-fenced", [master["id"]])
