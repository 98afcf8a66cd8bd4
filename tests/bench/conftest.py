"""One world with two back ends for all benches of this folder, and the table of figures at the end."""

from collections.abc import Iterator

import httpx
import pytest

from actium_embedded.backends import wished
from bench.figures import Figures
from system.worlds import Tenant, TestWorld, a_name, await_value, free_port

FIGURES = pytest.StashKey[Figures]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, None)
    if figures is not None and figures.found:
        terminalreporter.section("figures")
        for figure in figures.found:
            terminalreporter.write_line(str(figure))


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash.setdefault(FIGURES, Figures())


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    world = TestWorld(tmp_path_factory.mktemp("bench") / "world", a_name("b"))
    world.up(port=free_port())
    try:
        world.actium("backend", "start", "one", "--network", "tenant-a")
        world.actium("backend", "start", "two", "--network", "tenant-b")
        yield world
    finally:
        world.down(wipe=True)


@pytest.fixture
def tenant(world: TestWorld) -> Iterator[Tenant]:
    tenant = Tenant(world.facts.api_url)
    yield tenant
    for lb in tenant.request("GET", "/loadbalancers")["loadbalancers"]:
        if lb["provisioning_status"] != "PENDING_DELETE":
            tenant.request("DELETE", f"/loadbalancers/{lb['id']}?cascade=true")
    for lb in tenant.request("GET", "/loadbalancers")["loadbalancers"]:
        tenant.wait_gone(lb["id"])
    await_value(world.amphorae, lambda ids: not ids, 30)


@pytest.fixture(scope="session")
def public(world: TestWorld) -> str:
    """The id of the subnet that VIPs come from."""
    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
    return next(str(subnet["id"]) for subnet in listed if subnet["name"] == "public")


@pytest.fixture(scope="session")
def backends(world: TestWorld) -> dict[str, str]:
    """Name -> address."""
    return {backend.name: backend.address for backend in wished(world.facts)}
