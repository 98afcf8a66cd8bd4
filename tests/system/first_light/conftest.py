"""One world for all tests of this folder, with two back ends; every test cleans up the load balancers that it makes."""

from collections.abc import Iterator

import pytest

from actium_embedded.backends import wished
from actium_embedded.world import World
from system.worlds import Tenant, TestWorld, a_name, await_value, free_port


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    folder = tmp_path_factory.mktemp("first-light") / "world"
    world = TestWorld(folder, a_name("l"))
    world.up(port=free_port())
    try:
        world.actium("backend", "start", "one", "--network", "tenant-a")
        world.actium("backend", "start", "two", "--network", "tenant-b")
        yield world
    finally:
        world.down(wipe=True)


@pytest.fixture(scope="session")
def facts(world: TestWorld) -> World:
    return world.facts


@pytest.fixture
def tenant(world: TestWorld) -> Iterator[Tenant]:
    tenant = Tenant(world.facts.api_url)
    yield tenant
    for lb in tenant.request("GET", "/loadbalancers")["loadbalancers"]:
        if lb["provisioning_status"] != "PENDING_DELETE":
            tenant.request("DELETE", f"/loadbalancers/{lb['id']}?cascade=true")
        tenant.wait_gone(lb["id"])
    await_value(world.amphorae, lambda ids: not ids, 30)


@pytest.fixture(scope="session")
def subnets(world: TestWorld) -> dict[str, str]:
    """Name -> id."""
    import httpx

    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
    return {subnet["name"]: subnet["id"] for subnet in listed}


@pytest.fixture(scope="session")
def backends(world: TestWorld) -> dict[str, str]:
    """Name -> address."""
    return {backend.name: backend.address for backend in wished(world.facts)}
