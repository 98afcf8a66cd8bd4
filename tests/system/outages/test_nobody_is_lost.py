"""What must not be taken for a death, services of ours that pause and a machine that is busy; and a death while they do."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from system.outages.claims import claims_of
from system.outages.drills import Site, dies_silently, holder, outage_ms
from system.outages.pauses import busy, paused
from system.worlds import await_value, events

PAIR = {"loadbalancer_topology": "ACTIVE_STANDBY"}
LONG = "TESTS_LONG" in os.environ

PAUSED_S = 8.0 if LONG else 5.0
"""Longer than an amphora may be silent."""

AFTERWARDS_S = 1.0
"""A verdict that falls late, over beats that were missed, falls within that time."""

BUSY_S = 600.0 if LONG else 10.0
NOT_BY_COMPUTE_MS = 2500
HANDOVER_S = 0.5


@pytest.fixture(scope="module")
def pair(drilled_world: Site) -> Iterator[dict[str, Any]]:
    """One load balancer for all of these; only the last test changes what it consists of."""
    with drilled_world.lasting(**PAIR) as lb:
        yield lb


@contextmanager
def nothing_happens(site: Site, lb: dict[str, Any]) -> Iterator[None]:
    """See that both stay, and that each stays what it is."""
    before = {each["id"] for each in site.whole(lb["id"], 2)}
    master, told = holder(site, lb), said(site, before)
    yield
    assert said(site, before) == told
    assert {each["id"] for each in site.whole(lb["id"], 2)} == before
    assert holder(site, lb) == master


def said(site: Site, amphora_ids: set[str]) -> list[Any]:
    """Give all that health has put on the log about them."""
    noted = (event for event in events(site.world) if event["type"].startswith("liveness."))
    return [event["body"] for event in noted if event["body"]["amphora_id"] in amphora_ids]


@pytest.mark.parametrize("process", ["relay", "health"])
def test_nobody_is_lost_because_one_of_ours_did_not_listen(
    drilled_world: Site, pair: dict[str, Any], process: str
) -> None:
    with nothing_happens(drilled_world, pair):
        with paused(drilled_world, process):
            time.sleep(PAUSED_S)
        time.sleep(AFTERWARDS_S)


def test_a_busy_machine_makes_no_switch(drilled_world: Site, pair: dict[str, Any]) -> None:
    with nothing_happens(drilled_world, pair), busy():
        time.sleep(BUSY_S)


def test_one_that_dies_while_compute_pauses_is_replaced_afterwards(drilled_world: Site, pair: dict[str, Any]) -> None:
    site, lb = drilled_world, pair
    dead = holder(site, lb)
    (heir,) = {each["id"] for each in site.whole(lb["id"], 2)} - {dead}
    with claims_of(lb["vip_address"], site.world.facts.host_link) as claims:
        with paused(site, "compute"):
            assert outage_ms(lb, lambda: dies_silently(site, dead)) < NOT_BY_COMPUTE_MS
            time.sleep(PAUSED_S)
        site.whole(lb["id"], 2, without=[dead])
    assert holder(site, lb) == heir
    assert claims.contested_s() < HANDOVER_S
    await_value(site.world.amphorae, lambda ids: dead not in ids, 30)
