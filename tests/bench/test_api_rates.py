"""How many reads and writes a second the API takes, and how long each takes."""

import json
import time
from typing import Any

import pytest
import sqlalchemy as sa

from bench.figures import LONG, Figures, repeats, timed
from bench.peers import hello, runs
from bench.rates import rate
from bench.test_create import web
from system.worlds import BIN, Tenant, TestWorld

FOR_S = 10.0 if LONG else 1.0
MEMBERS = 100
CROWD = 16
HELLOS_MOST = 12
"""One load balancer costs so many answers of a bare server. Four are usual."""


@pytest.fixture
def lb(tenant: Tenant, public: str, backends: dict[str, str]) -> dict[str, Any]:
    made = tenant.create("loadbalancer", **web(public, backends["one"]))
    return tenant.wait(made["id"])


def test_reads(world: TestWorld, tenant: Tenant, lb: dict[str, Any], figures: Figures) -> None:
    url = f"{world.facts.api_url}/v2.0/lbaas"
    members = f"/pools/{lb['pools'][0]['id']}/members"
    body = [{"address": f"10.1.0.{number}", "protocol_port": 8000} for number in range(1, MEMBERS + 1)]
    batch: list[float] = []
    with timed(batch):
        tenant.request("PUT", members, members=body)
    figures.tell(f"API: PUT of {MEMBERS} members at once answered", batch, "ms")
    tenant.wait(lb["id"])
    one = tell(figures, "GET of one load balancer", f"{url}/loadbalancers/{lb['id']}")
    tell(figures, f"GET of a list of {MEMBERS} members", f"{url}{members}")
    tell(figures, f"GET of a status tree with {MEMBERS} members", f"{url}/loadbalancers/{lb['id']}/status")
    with hello() as address:
        bare = tell(figures, "bare uvicorn, 600 bytes [peer]", address)
    figures.hold("GET of one load balancer to a bare uvicorn's answer", bare, one, most=HELLOS_MOST)
    figures.tell("SQLAlchemy on SQLite, SELECT 1 [peer]", selects(), "ms")


def tell(figures: Figures, name: str, url: str, **more: Any) -> float:
    """Gives how many a second there are on all connections."""
    alone = rate(url, connections=1, for_s=FOR_S, **more)
    figures.tell(f"API: {name}", alone.took_ms, "ms", note=f"{alone.per_s:.0f}/s on one connection")
    crowd = rate(url, connections=CROWD, for_s=FOR_S, **more)
    figures.tell(f"API:   on {CROWD} connections", crowd.took_ms, "ms", note=f"{crowd.per_s:.0f}/s")
    return crowd.per_s


def selects() -> list[float]:
    took: list[float] = []
    with sa.create_engine("sqlite://").connect() as connection:
        for _ in range(1000):
            with timed(took):
                connection.scalar(sa.text("SELECT 1"))
    return took


def test_writes(world: TestWorld, lb: dict[str, Any], figures: Figures) -> None:
    """One commit each, and no round: nothing that amphorae are told of changes."""
    url = f"{world.facts.api_url}/v2.0/lbaas/loadbalancers/{lb['id']}"
    bodies = tuple(json.dumps({"loadbalancer": {"description": f"number {number}"}}).encode() for number in range(2))
    tell(figures, "PUT of a description", url, method="PUT", bodies=bodies)


def test_creations_one_after_another(tenant: Tenant, public: str, backends: dict[str, str], figures: Figures) -> None:
    """Nobody waits for ACTIVE, so that those before are being built meanwhile, on the same processors."""
    took: list[float] = []
    began = time.perf_counter()
    made = []
    for _ in range(repeats(5, 20)):
        with timed(took):
            made.append(tenant.create("loadbalancer", **web(public, backends["one"])))
    per_s = len(made) / (time.perf_counter() - began)
    for each in made:
        tenant.wait(each["id"])
    all_s = time.perf_counter() - began
    note = f"{per_s:.1f}/s, all ACTIVE after {all_s:.1f} s"
    figures.tell("API: POST of a load balancer while others boot", took, "ms", note=note)
    gone: list[float] = []
    for each in made:
        with timed(gone):
            tenant.request("DELETE", f"/loadbalancers/{each['id']}?cascade=true")
    for each in made:
        tenant.wait_gone(each["id"])
    figures.tell("API: DELETE of a load balancer while others go", gone, "ms")


def test_the_stock_client(world: TestWorld, lb: dict[str, Any], figures: Figures) -> None:
    took: list[float] = []
    for _ in range(repeats(2, 20)):
        with timed(took):
            world.openstack("loadbalancer", "list", "-f", "json")
    figures.tell("openstack loadbalancer list", took, "ms")
    bare = runs([str(BIN / "openstack"), "--version"], count=repeats(2, 20))
    figures.tell("openstack --version, which asks nobody [peer]", bare, "ms")
