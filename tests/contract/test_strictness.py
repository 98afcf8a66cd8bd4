"""Where upstream answers 500 to a client's mistake, or not at all: a precise 4xx."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from actium_api.settings import ApiSettings
from builders import PUBLIC, an_id
from contract.memory_world import MemoryWorld

LISTENER = {"protocol": "HTTP", "protocol_port": 80}
POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
NONE = an_id("none")


@pytest.fixture(scope="module")
def world() -> Iterator[MemoryWorld]:
    with MemoryWorld(ApiSettings(max_body_bytes=200_000)) as made:
        yield made


@pytest.fixture(scope="module")
def ids(world: MemoryWorld) -> dict[str, str]:
    """One of each that the cases name."""
    pools = [{"name": "p", **POOL, "members": [{"address": "10.1.0.10", "protocol_port": 80}]}]
    listeners = [{**LISTENER, "default_pool": {"name": "p"}, "l7policies": [{"action": "REJECT"}]}]
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC, "pools": pools, "listeners": listeners}}
    response = world.request("POST", "/loadbalancers", json=body)
    assert response.status_code == 201, response.text
    made = response.json()["loadbalancer"]
    policy = made["listeners"][0]["l7policies"][0]
    return {
        "lb": made["id"],
        "pool": made["pools"][0]["id"],
        "listener": made["listeners"][0]["id"],
        "policy": policy["id"],
    }


def refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    assert set(response.json()) == {"faultcode", "faultstring", "debuginfo"}
    for word in words:
        assert word in response.json()["faultstring"]


KEYS = {
    "/loadbalancers": "loadbalancer",
    "/listeners": "listener",
    "/pools": "pool",
    "/healthmonitors": "healthmonitor",
    "/l7policies": "l7policy",
    "/pools/{pool}/members": "member",
    "/l7policies/{policy}/rules": "rule",
}


@pytest.mark.parametrize(("path", "key"), KEYS.items())
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{}", None),
        (b"null", None),
        (b"[]", None),
        (b'{"other": {}}', None),
        (b"{", "JSON"),
        (b"", None),
        (b"\xff", "JSON"),
    ],
)
def test_a_body_that_is_no_such_resource_is_refused(
    world: MemoryWorld, ids: dict[str, str], path: str, key: str, content: bytes, word: str | None
) -> None:
    refused(world.request("POST", path.format(**ids), content=content), 400, word or key)


@pytest.mark.parametrize(("path", "key"), KEYS.items())
@pytest.mark.parametrize("inner", [None, [], "x", 5])
def test_a_resource_must_be_an_object(
    world: MemoryWorld, ids: dict[str, str], path: str, key: str, inner: object
) -> None:
    refused(world.request("POST", path.format(**ids), json={key: inner}), 400, key)


@pytest.mark.parametrize("members", [None, {}, "x", [5], [None]])
def test_a_batch_must_be_a_list_of_members(world: MemoryWorld, ids: dict[str, str], members: object) -> None:
    refused(world.request("PUT", f"/pools/{ids['pool']}/members", json={"members": members}), 400, "members")
    refused(world.request("PUT", f"/pools/{ids['pool']}/members", json={}), 400, "members")


@pytest.mark.parametrize(
    ("path", "key", "body", "status"),
    [
        ("/pools", "pool", {**POOL, "listener_id": NONE}, 404),
        ("/pools", "pool", {**POOL, "loadbalancer_id": NONE}, 404),
        ("/pools", "pool", POOL, 400),
        ("/listeners", "listener", {**LISTENER, "loadbalancer_id": NONE}, 404),
        (
            "/healthmonitors",
            "healthmonitor",
            {"pool_id": NONE, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1},
            404,
        ),
        ("/l7policies", "l7policy", {"listener_id": NONE, "action": "REJECT"}, 404),
        (
            "/l7policies",
            "l7policy",
            {"listener_id": "{listener}", "action": "REDIRECT_TO_POOL", "redirect_pool_id": NONE},
            404,
        ),
        (
            "/loadbalancers",
            "loadbalancer",
            {"vip_subnet_id": PUBLIC, "listeners": [{**LISTENER, "default_pool_id": NONE}]},
            404,
        ),
    ],
)
def test_what_names_something_that_is_not_there_says_so(
    world: MemoryWorld, ids: dict[str, str], path: str, key: str, body: dict[str, Any], status: int
) -> None:
    settled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
    refused(world.request("POST", path, json={key: settled}), status, NONE if status == 404 else "listener_id")


@pytest.mark.parametrize(
    "query",
    [
        "name=a&name=b",
        "listeners=x",
        "colour=red",
        "tenant_id=x",
        "admin_state_up=maybe",
        "marker=none",
        "sort=colour",
        "sort_key=name:asc",
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(world: MemoryWorld, query: str) -> None:
    refused(
        world.request("GET", f"/loadbalancers?{query}"),
        400,
        query.partition("=")[2].partition("&")[0].partition(":")[0] if "sort" in query else query.partition("=")[0],
    )


@pytest.mark.parametrize("query", ["limit=many", "sort=name:up", "sort=name:"])
def test_some_queries_are_refused_in_the_routers_words(world: MemoryWorld, query: str) -> None:
    response = world.request("GET", f"/loadbalancers?{query}")
    assert (response.status_code, set(response.json())) == (400, {"code", "title", "description"})


def test_every_collection_can_be_filtered_by_every_simple_field_that_it_shows(
    world: MemoryWorld, ids: dict[str, str]
) -> None:
    collections = {
        "/loadbalancers": "loadbalancers",
        "/listeners": "listeners",
        "/pools": "pools",
        "/l7policies": "l7policies",
    }
    collections |= {f"/pools/{ids['pool']}/members": "members"}
    for path, key in collections.items():
        (found,) = world.request("GET", path).json()[key]
        simple = {
            name: value
            for name, value in found.items()
            if isinstance(value, str | int) and name != "tenant_id" and value != ""
        }
        assert len(simple) > 8
        for name, value in simple.items():
            kept = world.request("GET", path, params={name: str(value)}).json()
            assert [each["id"] for each in kept[key]] == [found["id"]], name
            assert kept[f"{key}_links"] == []


@pytest.mark.parametrize(
    "path",
    ["/pools/{none}/members", "/pools/{none}/members/x", "/l7policies/{none}/rules", "/l7policies/{none}/rules/x"],
)
def test_an_unknown_parent_is_refused_in_the_routers_words(world: MemoryWorld, path: str) -> None:
    response = world.request("GET", path.format(none=NONE))
    assert (response.status_code, response.json()["title"]) == (404, "Not Found")
    assert NONE in response.json()["description"]


def test_items_are_found_by_any_text_and_only_below_their_parent(world: MemoryWorld, ids: dict[str, str]) -> None:
    for path in ("/loadbalancers", "/listeners", "/pools", "/healthmonitors", "/l7policies"):
        for name in ("x", "some name", "%00", "..;", NONE.upper()):
            assert world.request("GET", f"{path}/{name}").status_code == 404
    rule = {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}
    made = world.request("POST", f"/l7policies/{ids['policy']}/rules", json={"rule": rule}).json()["rule"]
    other = {"l7policy": {"listener_id": ids["listener"], "action": "REJECT"}}
    other_id = world.request("POST", "/l7policies", json=other).json()["l7policy"]["id"]
    assert world.request("GET", f"/l7policies/{ids['policy']}/rules/{made['id']}.json").status_code == 200
    refused(world.request("GET", f"/l7policies/{other_id}/rules/{made['id']}"), 404, made["id"])
    assert world.request("GET", f"/l7policies/{ids['policy']}/bogus").status_code == 404


def test_a_body_is_neither_too_large_nor_too_deep_nor_of_another_type(world: MemoryWorld) -> None:
    large = world.request("POST", "/loadbalancers", content=b" " * 200_001)
    assert (large.status_code, set(large.json())) == (413, {"code", "title", "description"})
    deep = b'{"loadbalancer": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    refused(world.request("POST", "/loadbalancers", content=deep), 400)
    refused(world.request("POST", "/loadbalancers", content=b"{}", headers={"content-type": "text/plain"}), 415)


@pytest.mark.parametrize("number", ["1e400", "-1", "99999999999999999999", "2147483648"])
def test_numbers_that_nothing_could_keep_are_refused(world: MemoryWorld, ids: dict[str, str], number: str) -> None:
    content = f'{{"listener": {{"connection_limit": {number}}}}}'.replace("-1", "-2").encode()
    refused(world.request("PUT", f"/listeners/{ids['listener']}", content=content), 400)
