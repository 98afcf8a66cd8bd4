"""The description of the tenant API is a right one, complete, and made only when it is asked for."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from actium_api.openapi.document import REPLY_OF, built, shown_path, tenant_routes
from actium_api.openapi.requests import BODIES
from contract.memory_world import MemoryWorld
from fuzz.seeds import Seeds

DOCUMENT = built()
FIRST_ASKED = """
import sys, actium_api.app, actium_api.main
assert not [name for name in sys.modules if name.startswith("actium_api.openapi")]
"""


@pytest.fixture(scope="module")
def world() -> Iterator[MemoryWorld]:
    with MemoryWorld(offers_anything=False) as made:
        yield made


@pytest.mark.parametrize("path", ["/openapi.json", "/load-balancer/openapi.json"])
def test_it_is_given_to_everyone(world: MemoryWorld, path: str) -> None:
    response = world.request("GET", f"http://api{path}")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == DOCUMENT


def test_it_is_made_for_the_first_who_asks() -> None:
    subprocess.run([sys.executable, "-c", FIRST_ASKED], check=True)


def test_every_method_of_every_route_is_in_it() -> None:
    routes = {(shown_path(route.path), method) for _, route in tenant_routes() for method in route.name.split()}
    described = {
        (path, method.upper())
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert routes - described == {("/healthcheck", "HEAD")}
    assert described <= routes
    assert len(described) > 70


def test_everything_that_it_refers_to_is_in_it() -> None:
    references = {value for value in strings(DOCUMENT) if value.startswith("#/")}
    assert len(references) > 60
    for reference in references:
        found = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)


def test_a_resource_shows_what_is_described_and_no_less(world: MemoryWorld) -> None:
    seeds = Seeds(world)
    items = {
        "loadbalancer": f"/loadbalancers/{seeds.ids['loadbalancers']}",
        "listener": f"/listeners/{seeds.ids['listeners']}",
        "pool": f"/pools/{seeds.ids['pools']}",
        "member": f"/pools/{seeds.ids['pools']}/members/{seeds.ids['members']}",
        "healthmonitor": f"/healthmonitors/{seeds.ids['healthmonitors']}",
        "l7policy": f"/l7policies/{seeds.ids['l7policies']}",
        "rule": f"/l7policies/{seeds.ids['l7policies']}/rules/{seeds.ids['rules']}",
        "flavor": f"/flavors/{seeds.ids['flavors']}",
        "flavorprofile": f"/flavorprofiles/{seeds.ids['flavorprofiles']}",
        "availability_zone": f"/availabilityzones/{seeds.ids['availabilityzones']}",
        "availability_zone_profile": f"/availabilityzoneprofiles/{seeds.ids['availabilityzoneprofiles']}",
        "quota": "/quotas/project",
    }
    assert items.keys() == REPLY_OF.keys() - {"amphora"}
    for key, path in items.items():
        shown = world.request("GET", path).json()[key]
        assert shown.keys() == DOCUMENT["components"]["schemas"][REPLY_OF[key]]["properties"].keys(), key


@pytest.mark.parametrize("key", BODIES)
def test_bodies_are_described_with_all_their_fields_and_no_other(key: str) -> None:
    for model in filter(None, BODIES[key]):
        schema = DOCUMENT["components"]["schemas"][model.__name__]
        assert schema["additionalProperties"] is False
        assert schema["properties"].keys() == model.model_fields.keys()
