"""
Every field of what nobody creates, as upstream's field table says: quotas, which are set, and amphorae and providers,
which are shown. The rest is in `test_fields`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from contract.field_values import FIELDS, right_values, wrong_values
from contract.memory_world import MemoryWorld
from contract.test_fields import PATHS, refused

PATH = "/quotas/a-project"
OLD = {"load_balancer": "loadbalancer", "health_monitor": "healthmonitor"}
TWINS = OLD | {new: old for old, new in OLD.items()}
"""One limit in two spellings."""

SITES_LIMIT = -1
LIMITS = [field for field, spec in FIELDS["quota"].items() if spec["update"]]
NO_LIMITS = sorted(FIELDS["quota"].keys() - set(LIMITS))


@pytest.fixture(scope="module")
def world() -> Iterator[MemoryWorld]:
    with MemoryWorld() as made:
        yield made


def quota(world: MemoryWorld) -> dict[str, Any]:
    shown: dict[str, Any] = world.request("GET", PATH).json()["quota"]
    return shown


def shown_of(kind: str) -> set[str]:
    return {field for field, spec in FIELDS[kind].items() if spec["response"]}


def test_every_resource_of_the_table_is_tested() -> None:
    assert FIELDS.keys() - PATHS.keys() == {"quota", "amphora", "provider"}
    for kind in ("amphora", "provider"):
        assert not any(spec["create"] or spec["update"] for spec in FIELDS[kind].values())


def test_a_quota_shows_all_that_can_be_shown_and_no_more(world: MemoryWorld) -> None:
    assert set(quota(world)) == shown_of("quota")
    assert set(world.request("PUT", PATH, json={"quota": {}}).json()["quota"]) == shown_of("quota")
    assert {world.request("GET", "/quotas/nobody").json()["quota"][field] for field in LIMITS} == {SITES_LIMIT}


@pytest.mark.parametrize("field", LIMITS)
def test_a_right_limit_is_taken_and_shown_and_null_is_the_sites_again(world: MemoryWorld, field: str) -> None:
    for value, after in [(each, each) for each in right_values("quota", field)] + [(None, SITES_LIMIT)]:
        before = quota(world)
        response = world.request("PUT", PATH, json={"quota": {field: value}})
        assert response.status_code == 202, response.text
        changed = {field: after} | ({TWINS[field]: after} if field in TWINS else {})
        assert response.json()["quota"] == quota(world) == before | changed


@pytest.mark.parametrize("field", LIMITS)
def test_a_wrong_limit_is_refused_by_name(world: MemoryWorld, field: str) -> None:
    before = quota(world)
    for value in wrong_values(FIELDS["quota"][field]):
        refused(world.request("PUT", PATH, json={"quota": {field: value}}), 400, field)
    assert quota(world) == before


@pytest.mark.parametrize("field", NO_LIMITS)
def test_whose_a_quota_is_cannot_be_changed(world: MemoryWorld, field: str) -> None:
    response = world.request("PUT", PATH, json={"quota": {field: "another"}})
    refused(response, 400, f"Unknown attribute for argument quota: {field}")


def test_quotas_are_set_and_not_made(world: MemoryWorld) -> None:
    for path in ("/quotas", PATH):
        assert world.request("POST", path, json={"quota": {}}).status_code == 405


def test_a_provider_shows_all_that_can_be_shown_and_no_more(world: MemoryWorld) -> None:
    providers = world.request("GET", "/providers").json()["providers"]
    assert providers
    for each in providers:
        assert set(each) == shown_of("provider")
        assert all(isinstance(value, str) and value for value in each.values())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/providers"),
        ("PUT", "/providers/actium"),
        ("DELETE", "/providers/actium"),
        ("POST", "/v2.0/octavia/amphorae"),
        ("PUT", "/v2.0/octavia/amphorae/some"),
    ],
)
def test_what_is_only_shown_is_neither_made_nor_changed(world: MemoryWorld, method: str, path: str) -> None:
    target = f"http://api{path}" if path.startswith("/v2.0/") else path
    assert world.request(method, target, json={}).status_code == 405
