"""One world for all drills, with two back ends; every test cleans up the load balancers that it makes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from actium_embedded.backends import wished
from system.outages.drills import Site
from system.worlds import Tenant, TestWorld, a_name, await_value, free_port


@contextmanager
def a_site(folder: Path, settings: Mapping[str, str] | None = None, *, letter: str = "o") -> Iterator[Site]:
    """Bring a world up, whose name begins with the letter and whose services have these settings, and take it down at the end."""
    world = TestWorld(folder / "world", a_name(letter), dict(settings or {}))
    world.up(port=free_port())
    try:
        world.actium("backend", "start", "one", "--network", "tenant-a")
        world.actium("backend", "start", "two", "--network", "tenant-b")
        url = world.facts.api_url
        listed = httpx.get(f"{url}/network/v2.0/subnets").json()["subnets"]
        yield Site(
            world=world,
            tenant=Tenant(url),
            subnets={subnet["name"]: subnet["id"] for subnet in listed},
            backends={backend.name: backend.address for backend in wished(world.facts)},
        )
    finally:
        world.down(wipe=True)


@pytest.fixture(scope="session")
def drilled_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("outages")) as site:
        yield site


@pytest.fixture
def site(drilled_world: Site) -> Iterator[Site]:
    yield drilled_world
    tenant = drilled_world.tenant
    for lb in tenant.request("GET", "/loadbalancers")["loadbalancers"]:
        tenant.delete(lb["id"])
        tenant.wait_gone(lb["id"], within_s=60)
    drilled_world.without_spares()
    await_value(drilled_world.world.amphorae, lambda ids: not ids, 60)
