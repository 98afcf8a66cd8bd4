"""How long clients have no answer: one drill for each row of the topology table, a request every 5 ms."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.figures import Figures, repeats
from system.outages.conftest import a_site
from system.outages.drills import Site, dies_silently, haproxy_dies, holder, outage_ms

SINGLE: dict[str, str | int] = {"loadbalancer_topology": "SINGLE"}
SPARES: dict[str, str | int] = {"spare_pool_size": 1}
PAIR: dict[str, str | int] = {"loadbalancer_topology": "ACTIVE_STANDBY"}

Befall = Callable[[Site, dict[str, Any]], object]


def silent_death(site: Site, lb: dict[str, Any]) -> None:
    dies_silently(site, holder(site, lb))


def haproxys_death(site: Site, lb: dict[str, Any]) -> None:
    haproxy_dies(site, holder(site, lb))


def planned(site: Site, lb: dict[str, Any]) -> None:
    site.tenant.request("PUT", f"/loadbalancers/{lb['id']}/failover", expect=202)


ROWS: dict[str, tuple[dict[str, str | int], int, Befall, str]] = {
    "single, cold: silent death": (SINGLE, 1, silent_death, "slower, but works"),
    "single, a spare: silent death": (SPARES, 1, silent_death, "aim: p95 under 5,000"),
    "single: planned failover": (SINGLE, 1, planned, "aim: -"),
    "pair: silent death of the active": (PAIR, 2, silent_death, "aim: p95 under 500"),
    "pair: haproxy's death": (PAIR, 2, haproxys_death, "aim: p95 under 100"),
    "pair: planned failover": (PAIR, 2, planned, "aim: p95 under 100"),
}
"""Name -> flavor, how many amphorae there are, what befalls them, and what is promised in milliseconds."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("outages")) as site:
        yield site


@pytest.mark.parametrize("row", ROWS)
def test_the_outage_that_clients_see(site: Site, figures: Figures, row: str) -> None:
    data, size, befall, note = ROWS[row]
    flavor = site.flavor(**data)
    gaps: list[float] = []
    lb = site.serving(flavor)
    for _ in range(repeats(1, 20)):
        before = [each["id"] for each in site.whole(lb["id"], size)]
        if "spare_pool_size" in data:
            site.spares(flavor, 1)
        gone = {planned: before, silent_death: [holder(site, lb)]}.get(befall, [])
        gaps.append(outage_ms(lb, lambda: befall(site, lb), lambda gone=gone: site.whole(lb["id"], size, without=gone)))
    figures.tell(f"outage: {row}", gaps, "ms", note=note)
    site.tenant.delete(lb["id"])
    site.tenant.wait_gone(lb["id"], within_s=60)
    site.without_spares()
