"""
Creates, changes and deletes while everything is killed at random: in the end all that was asked for serves, and nothing else is there.

`SOAK_SEED` repeats a run's choices, though not the moments that they meet; `SOAK_S` is how long it goes on.
"""

import json
import operator
import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from system.outages.conftest import a_site
from system.outages.drills import Site
from system.soak.customer import FIRST_PORT, PORTS_MOST, Asked, Customer
from system.soak.havoc import Havoc
from system.soak.leftovers import known_amphorae, of_amphorae, there
from system.worlds import TestWorld, answers, await_value, events

LONG = "TESTS_LONG" in os.environ
CHAOS_S = float(os.environ.get("SOAK_S", "1800" if LONG else "12"))
BALANCERS_MOST = 8 if LONG else 4
PAUSE_S = (0.1, 1.5)
SILENT_S = 4.0
"""So long nobody may have noticed that a machine is silent."""

WELL_WITHIN_S = 120.0
"""From the last blow to the moment when all is well. The longest that counts in it: a boot given up, then the pause before the next."""

SETTINGS = {"ACTIUM_RETRY_S": "5", "ACTIUM_BOOT_S": "20", "ACTIUM_BUNDLE_S": "20"}
"""Who is killed all the time had better not be waited for as long as usual."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path, SETTINGS, letter="z") as site:
        yield site


def test_in_the_end_all_that_was_asked_for_serves_and_nothing_else_is_there(site: Site, tmp_path: Path) -> None:
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 1_000_000))
    print(f"\nSOAK_SEED={seed}")
    before = there(site.world.facts)
    customer = Customer(site, Random(seed), most=BALANCERS_MOST)
    havoc = Havoc(site, Random(seed + 1))
    try:
        suffer(customer, havoc, Random(seed + 2))
        took_s = all_is_well(site, customer)
        print(f"all well {took_s:.1f} s after the last blow; done {customer.done}; killed {havoc.done}")
        nothing_is_left(site, customer, before)
    except BaseException:
        print("\n".join(havoc.story), f"\nkept in {keep(site.world, tmp_path)}")
        raise


def suffer(customer: Customer, havoc: Havoc, random: Random) -> None:
    ends_at = time.monotonic() + CHAOS_S
    with havoc:
        while time.monotonic() < ends_at:
            customer.acts()
            time.sleep(random.uniform(*PAUSE_S))
    assert havoc.trouble is None, havoc.trouble


def all_is_well(site: Site, customer: Customer) -> float:
    """Wait for it, and give how long it took."""
    began = time.monotonic()
    time.sleep(SILENT_S)

    def left_s() -> float:
        return max(1.0, began + WELL_WITHIN_S - time.monotonic())

    for asked in customer.asked.values():
        site.tenant.wait(asked.id, within_s=left_s())
        site.whole(asked.id, asked.size)
        for port in asked.listeners:
            await_value(partial(who_answers, asked, port), partial(operator.eq, asked.members), left_s())
        closed = {FIRST_PORT + number for number in range(PORTS_MOST)} - asked.listeners.keys()
        assert [port for port in closed if who_answers(asked, port) != {"-"}] == []
    await_value(lambda: difference(site, customer), lambda found: not found, left_s())
    assert json.loads(site.world.actium("dead-letters", "--json"))["dead_letters"] == []
    return time.monotonic() - began


def who_answers(asked: Asked, port: int) -> set[str]:
    """Ask as often as it takes for everybody's turn."""
    return set(answers(asked.vip, port=port, count=2 * len(asked.members)))


def difference(site: Site, customer: Customer) -> list[str]:
    """Give what amphorae there are too many, or too few."""
    listed = site.tenant.http.get(f"{site.tenant.url}/v2/octavia/amphorae").json()["amphorae"]
    carrying = [each for each in listed if each["status"] == "ALLOCATED"]
    spares = [each for each in listed if each["status"] == "READY"]
    asked_for = {each["id"] for asked in customer.asked.values() for each in site.amphorae(asked.id)}
    wanted = {
        "carrying": (sorted(each["id"] for each in carrying), sorted(asked_for)),
        "spare": (len(spares), customer.spares),
        "listed": (len(listed), len(carrying) + len(spares)),
        "machines": (sorted(each["id"] for each in listed), site.world.amphorae()),
    }
    return [f"{name}: {found} instead of {right}" for name, (found, right) in wanted.items() if found != right]


def nothing_is_left(site: Site, customer: Customer, before: dict[str, list[str]]) -> None:
    customer.deletes_all()
    for lb in site.tenant.request("GET", "/loadbalancers")["loadbalancers"]:
        site.tenant.wait_gone(lb["id"], within_s=WELL_WITHIN_S)
    site.without_spares()
    ever = known_amphorae(site.world)
    print(f"{len(ever)} amphorae have lived")

    def left() -> list[str]:
        now = there(site.world.facts)
        return [f"{what}: {now[what]} instead of {before[what]}" for what in now if now[what] != before[what]]

    await_value(left, lambda found: not found, 60)
    await_value(lambda: of_amphorae(ever), lambda found: not found, 10)
    assert json.loads(site.world.actium("dead-letters", "--json"))["dead_letters"] == []


def keep(world: TestWorld, folder: Path) -> Path:
    """Keep what the world would take with it: what its services said, and its log."""
    kept = folder / "kept"
    shutil.copytree(world.facts.logs, kept)
    (kept / "events.json").write_text("\n".join(json.dumps(event) for event in events(world)))
    return kept
