"""How long clients have no answer: drills for each row of the topology table, a request every 5 ms (of two dozen: every 20 ms)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from bench.figures import LONG, Figures, repeats
from system.outages.conftest import a_site
from system.outages.drills import Site, dies_silently, haproxy_dies, holder, outage_ms
from system.outages.many import longest_ms, two_dozen, whole, without

SINGLE: dict[str, str | int] = {"loadbalancer_topology": "SINGLE"}
SPARES: dict[str, str | int] = {**SINGLE, "spare_pool_size": 1}
PAIR: dict[str, str | int] = {"loadbalancer_topology": "ACTIVE_STANDBY"}
ROUTED: dict[str, str | int] = {"front_end": "L3"}

Befall = Callable[[Site, dict[str, Any]], object]


def silent_death(site: Site, lb: dict[str, Any]) -> None:
    dies_silently(site, holder(site, lb))


def haproxys_death(site: Site, lb: dict[str, Any]) -> None:
    haproxy_dies(site, holder(site, lb))


def planned(site: Site, lb: dict[str, Any]) -> None:
    site.tenant.request("PUT", f"/loadbalancers/{lb['id']}/failover", expect=202)


SAID: dict[Befall, str] = {
    silent_death: "silent death of the active",
    haproxys_death: "haproxy's death",
    planned: "planned failover",
}


DRILLS_EACH = 4
"""So often each befalls the same load balancers in the long run: after six losses in a row an appliance waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the topology table: what befalls it, and in how many milliseconds it is promised to be over."""

    flavor: Mapping[str, str | int]
    size: int
    befalls: Mapping[Befall, str]
    long: bool = False
    many: bool = False


ALONE: dict[Befall, str] = {silent_death: "slower, but works", planned: "aim: -"}
TOGETHER: dict[Befall, str] = {
    silent_death: "aim: p95 under 500",
    haproxys_death: "aim: p95 under 100",
    planned: "aim: p95 under 100",
}
ROWS = {
    "single, cold": Row(flavor=SINGLE, size=1, befalls=ALONE),
    "single, a spare": Row(flavor=SPARES, size=1, befalls={silent_death: "aim: p95 under 5,000"}),
    "pair": Row(flavor=PAIR, size=2, befalls=TOGETHER),
    "routed, single, cold": Row(flavor=SINGLE | ROUTED, size=1, befalls=ALONE, long=True),
    "routed, single, a spare": Row(
        flavor=SPARES | ROUTED, size=1, befalls={silent_death: "aim: p95 under 5,000"}, long=True
    ),
    "routed, pair": Row(flavor=PAIR | ROUTED, size=2, befalls=TOGETHER),
    "24 on a pair": Row(flavor=PAIR, size=2, befalls=TOGETHER | {planned: "aim: p95 under 250"}, long=True, many=True),
    "24 on a routed pair": Row(flavor=PAIR | ROUTED, size=2, befalls=TOGETHER, long=True, many=True),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("outages")) as site:
        yield site


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if LONG or not row.long])
def test_the_outage_that_clients_see(site: Site, figures: Figures, name: str) -> None:
    row = ROWS[name]
    gaps: dict[Befall, list[float]] = {befall: [] for befall in row.befalls}
    for _ in range(repeats(1, 5)):
        with served(site, row) as balancers:
            for befall in row.befalls:
                gaps[befall] += [gap_ms(site, row, befall, balancers) for _ in range(repeats(1, DRILLS_EACH))]
    for befall, note in row.befalls.items():
        figures.tell(f"outage: {name}: {SAID[befall]}", gaps[befall], "ms", note=note)


@contextmanager
def served(site: Site, row: Row) -> Iterator[list[dict[str, Any]]]:
    """Have its load balancers, one or two dozen, and nothing of them at the end."""
    balancers = two_dozen(site, **row.flavor) if row.many else [site.serving(site.flavor(**row.flavor))]
    yield balancers
    without(site, balancers)


def gap_ms(site: Site, row: Row, befall: Befall, balancers: list[dict[str, Any]]) -> float:
    """Give the longest time that clients had no answer when it befell them once, and have all whole again."""
    lb = balancers[0]
    before = [each["id"] for each in site.whole(lb["id"], row.size)]
    if "spare_pool_size" in row.flavor:
        site.spares(site.flavor(**row.flavor), 1)
    goes: dict[Befall, list[str]] = {planned: before, silent_death: [holder(site, lb)]}
    gone = goes.get(befall, [])

    def befalls() -> None:
        befall(site, lb)

    def again() -> None:
        whole(site, balancers, *gone, size=row.size)

    return longest_ms(balancers, befalls, again) if row.many else outage_ms(lb, befalls, again)
