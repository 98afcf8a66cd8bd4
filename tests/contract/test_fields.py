"""
Every field of every resource of the load-balancer API that can be made, as upstream's field table says: accepted,
defaulted, refused, updatable or not, shown or not. The values come from `field_values`; what is only set or only shown
is in `test_fields_of_others`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from actium_api.settings import CIPHERS
from actium_shared.ids import RandomIds
from builders import PUBLIC, an_id
from contract.field_values import (
    ALPN,
    BASES,
    CERTIFICATE,
    FIELDS,
    MEMBER,
    MONITOR,
    NEEDS_OF_VALUE,
    NEW_NAME,
    POOL,
    RULE,
    VERSIONS,
    Body,
    needs,
    right_values,
    wrong_values,
)
from contract.memory_world import MemoryWorld

PARENTS_PROJECT = "the project of the load balancer"

PATHS: Mapping[str, str] = {
    "loadbalancer": "/loadbalancers",
    "listener": "/listeners",
    "pool": "/pools",
    "member": "/pools/<pool>/members",
    "healthmonitor": "/healthmonitors",
    "l7policy": "/l7policies",
    "rule": "/l7policies/<policy>/rules",
    "flavorprofile": "/flavorprofiles",
    "flavor": "/flavors",
    "availability_zone_profile": "/availabilityzoneprofiles",
    "availability_zone": "/availabilityzones",
}
IDS: Mapping[str, str] = {"availability_zone": "name"}
"""By what one is known in its path, where that is not its id."""

POOL_OF: Mapping[tuple[str, str, Any], str] = {
    ("healthmonitor", "type", "UDP-CONNECT"): "UDP",
    ("healthmonitor", "type", "SCTP"): "UDP",
}
UNSUPPORTED = frozenset(
    (("listener", "protocol", "SCTP"), ("pool", "protocol", "SCTP"), ("healthmonitor", "type", "SCTP"))
)
"""What the data plane cannot carry: 501."""

SHOWN: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("l7policy", "position"): lambda _: 1,
    ("loadbalancer", "additional_vips"): lambda sent: [
        {"subnet_id": each["subnet_id"], "ip_address": "203.0.113.100", "port_id": an_id("vip-port")} for each in sent
    ],
    ("loadbalancer", "listeners"): len,
    ("loadbalancer", "pools"): len,
    ("pool", "session_persistence"): lambda sent: {
        "type": None,
        "cookie_name": None,
        "persistence_timeout": None,
        "persistence_granularity": None,
        **sent,
    },
}
"""What a reply shows of a right value, where that is not the value itself."""

PROFILES = ("flavorprofile", "availability_zone_profile")
TREES = {("loadbalancer", "listeners"), ("loadbalancer", "pools")}
EMPTY: Mapping[str, Any] = {
    "string": None,
    "integer": None,
    "number": None,
    "boolean": None,
    "array": [],
    "object": None,
}
NULLS: Mapping[Any, Any] = {
    "empty string": "",
    "[]": [],
    "{}": {},
    "null": None,
    "null (detach)": None,
    "removes it": None,
}
DEFAULTS_WITH_TLS = {"tls_ciphers": CIPHERS, "tls_versions": VERSIONS, "alpn_protocols": ALPN}
HTTP_DEFAULTS = {"http_method": "GET", "url_path": "/", "expected_codes": "200"}
EXCEPTIONS: Mapping[tuple[str, str], Any] = {
    ("loadbalancer", "provider"): "actium",
    ("l7policy", "position"): 1,
    ("listener", "allowed_cidrs"): None,
    ("listener", "insert_headers"): {},
    ("listener", "tls_versions"): None,
    ("listener", "alpn_protocols"): None,
    ("pool", "tls_versions"): None,
    ("pool", "alpn_protocols"): None,
}
"""What is shown of a field that nobody has sent, where the table does not say so or it is not simply nothing."""


@pytest.fixture(scope="module")
def world() -> Iterator[MemoryWorld]:
    with MemoryWorld() as made:
        yield made


class Place:
    """A load balancer of its own with one of each that others stand on, made when asked for."""

    def __init__(self, world: MemoryWorld, pool_protocol: str = "HTTP") -> None:
        self._world, self._pool_protocol = world, pool_protocol
        self._ids: dict[str, str] = {}

    def _id(self, name: str) -> str:
        if name not in self._ids:
            self._ids[name] = self._make(name)
        return self._ids[name]

    def _make(self, name: str) -> str:
        if name == NEW_NAME:
            return RandomIds().new().ljust(255, "x")
        made: Mapping[str, tuple[str, str, Body]] = {
            "<lb>": ("/loadbalancers", "loadbalancer", {"vip_subnet_id": PUBLIC, "project_id": PARENTS_PROJECT}),
            "<listener>": (
                "/listeners",
                "listener",
                {"loadbalancer_id": "<lb>", "protocol": "HTTP", "protocol_port": 9},
            ),
            "<pool>": ("/pools", "pool", {"loadbalancer_id": "<lb>", **POOL, "protocol": self._pool_protocol}),
            "<policy>": ("/l7policies", "l7policy", {"listener_id": "<listener>", "action": "REJECT"}),
            **{f"<{kind}>": (PATHS[kind], kind, BASES[kind]) for kind in PROFILES},
        }
        path, key, body = made[name]
        response = self._world.request("POST", path, json={key: self.settled(body)})
        assert response.status_code == 201, response.text
        return str(response.json()[key]["id"])

    def settled(self, value: Any) -> Any:
        """Give a value with ids for placeholders."""
        if isinstance(value, dict):
            return {name: self.settled(each) for name, each in value.items()}
        return self._id(value) if isinstance(value, str) and value.startswith("<") else value

    def path(self, kind: str) -> str:
        return "/".join(self.settled(part) for part in PATHS[kind].split("/"))

    def post(self, kind: str, **fields: Any) -> httpx.Response:
        body = {name: value for name, value in (BASES[kind] | fields).items() if value is not ...}
        return self._world.request("POST", self.path(kind), json={kind: self.settled(body)})

    def put(self, kind: str, resource_id: str, **fields: Any) -> httpx.Response:
        return self._world.request("PUT", f"{self.path(kind)}/{resource_id}", json={kind: self.settled(fields)})


def names(what: str, *, does: bool = True) -> list[tuple[str, str]]:
    """Give kind and name of all fields of which the table says this, or does not, of what can be made."""
    return [(kind, field) for kind in PATHS for field, spec in FIELDS[kind].items() if bool(spec.get(what)) is does]


def creatable() -> list[tuple[str, str]]:
    return [(kind, field) for kind, field in names("create") if not FIELDS[kind][field].get("only_in_a_tree")]


def with_values(fields: list[tuple[str, str]]) -> list[Any]:
    return [
        pytest.param(kind, field, value, id=f"{kind}-{field}-{json.dumps(value)[:24]}")
        for kind, field in fields
        for value in right_values(kind, field)
    ]


def refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    fault = response.json()
    assert set(fault) == {"faultcode", "faultstring", "debuginfo"}
    for word in words:
        assert word in fault["faultstring"], fault["faultstring"]


def place_for(world: MemoryWorld, kind: str, field: str, value: Any) -> Place:
    plain = not isinstance(value, list | dict)
    return Place(world, POOL_OF.get((kind, field, value), "HTTP") if plain else "HTTP")


def shown(place: Place, kind: str, field: str, value: Any) -> Any:
    return SHOWN.get((kind, field), lambda sent: sent)(place.settled(value))


def seen(kind: str, field: str, document: Body) -> Any:
    return len(document[field]) if (kind, field) in TREES else document[field]


def equal(found: Any, wanted: Any) -> bool:
    """Compare; tags and the like are sets, which come in any order."""
    if isinstance(wanted, list) and all(isinstance(each, str) for each in wanted):
        return sorted(found or []) == sorted(wanted)
    return bool(found == wanted)


@pytest.mark.parametrize(("kind", "field", "value"), with_values(creatable()))
def test_a_right_value_is_taken_on_create_and_shown(world: MemoryWorld, kind: str, field: str, value: Any) -> None:
    place = place_for(world, kind, field, value)
    response = place.post(kind, **needs(kind, field, value) | {field: value})
    if not isinstance(value, list | dict) and (kind, field, value) in UNSUPPORTED:
        refused(response, 501, "SCTP")
        return
    assert response.status_code == 201, response.text
    document = response.json()[kind]
    if field in ("project_id", "tenant_id"):
        value = value if kind == "loadbalancer" else PARENTS_PROJECT
        assert (document["project_id"], document["tenant_id"]) == (value, value)
    elif FIELDS[kind][field]["response"]:
        assert equal(seen(kind, field, document), shown(place, kind, field, value))


@pytest.mark.parametrize(("kind", "field"), names("create"))
def test_a_wrong_value_is_refused_by_name_on_create(world: MemoryWorld, kind: str, field: str) -> None:
    place = Place(world)
    for value in wrong_values(FIELDS[kind][field]):
        refused(place.post(kind, **needs(kind, field) | {field: value}), 400, field)


@pytest.mark.parametrize(("kind", "field"), names("required"))
def test_a_field_that_is_missing_is_named(world: MemoryWorld, kind: str, field: str) -> None:
    refused(Place(world).post(kind, **{field: ...}), 400, field)


@pytest.mark.parametrize(("kind", "field"), names("only_in_a_tree"))
def test_what_can_be_nested_only_in_a_load_balancer_is_refused_elsewhere(
    world: MemoryWorld, kind: str, field: str
) -> None:
    nested = {
        "default_pool": {"name": "p", **POOL},
        "l7policies": [{"action": "REJECT"}],
        "members": [MEMBER],
        "healthmonitor": MONITOR,
        "rules": [RULE],
    }[field]
    refused(Place(world).post(kind, **{field: nested}), 400, field)
    nothing: Any = [] if isinstance(nested, list) else None
    assert Place(world).post(kind, **{field: nothing}).status_code == 201


@pytest.mark.parametrize(("kind", "field"), names("create", does=False))
def test_a_field_that_cannot_be_created_is_unknown_there(world: MemoryWorld, kind: str, field: str) -> None:
    refused(Place(world).post(kind, **{field: None}), 400, f"Unknown attribute for argument {kind}: {field}")


@pytest.mark.parametrize("kind", list(PATHS))
def test_a_reply_shows_all_that_can_be_shown_and_no_more(world: MemoryWorld, kind: str) -> None:
    place = Place(world)
    created = place.post(kind).json()[kind]
    found = world.request("GET", f"{place.path(kind)}/{_id(kind, created)}").json()[kind]
    wanted = {field for field, spec in FIELDS[kind].items() if spec["response"]}
    assert set(found) == wanted - {"healthmonitor_id"}  # which is left out where there is none
    assert set(created) == set(found)


def defaulted() -> list[tuple[str, str]]:
    """Give the fields whose defaults are the API's to give: no addresses, no ids."""
    given = ("ip", "uuid", "_id")
    return [
        (kind, field)
        for kind, field in creatable()
        if field not in BASES[kind]
        and FIELDS[kind][field]["response"]
        and not FIELDS[kind][field].get("format", field).endswith(given)
    ]


@pytest.mark.parametrize(("kind", "field"), defaulted())
def test_what_is_not_sent_has_its_default(world: MemoryWorld, kind: str, field: str) -> None:
    spec = FIELDS[kind][field]
    document = Place(world).post(kind).json()[kind]
    default = spec.get("default", spec.get("server_default"))
    if (kind, field) in EXCEPTIONS:
        default = EXCEPTIONS[kind, field]
    elif kind == "healthmonitor" and field in HTTP_DEFAULTS:
        default = HTTP_DEFAULTS[field]
    elif isinstance(default, str) and default.startswith(("configured", "302")):
        default = None
    elif default is None:
        default = "" if field in ("name", "description") else EMPTY[spec["type"]]
    assert document[field] == default


@pytest.mark.parametrize("field", list(DEFAULTS_WITH_TLS))
def test_what_does_tls_has_the_sites_defaults(world: MemoryWorld, field: str) -> None:
    assert Place(world).post("listener", **CERTIFICATE).json()["listener"][field] == DEFAULTS_WITH_TLS[field]
    assert Place(world).post("pool", tls_enabled=True).json()["pool"][field] == DEFAULTS_WITH_TLS[field]


def _id(kind: str, document: Body) -> str:
    return str(document[IDS.get(kind, "id")])


def stand(world: MemoryWorld, kind: str, field: str) -> tuple[Place, str]:
    """Give a resource that the field can be updated of."""
    place = Place(world)
    beside = needs(kind, field)
    if kind == "l7policy" and field.startswith("redirect_"):
        beside = {} if field != "redirect_http_code" else beside  # the targets change the action by themselves
    elif (kind, field) == ("listener", "default_tls_container_ref"):
        beside = CERTIFICATE
    return place, _id(kind, place.post(kind, **beside).json()[kind])


@pytest.mark.parametrize(("kind", "field", "value"), with_values(names("update")))
def test_a_right_value_is_taken_on_update_and_shown(world: MemoryWorld, kind: str, field: str, value: Any) -> None:
    place, resource_id = stand(world, kind, field)
    beside = {} if isinstance(value, list | dict) else NEEDS_OF_VALUE.get((kind, field, value), {})
    response = place.put(kind, resource_id, **beside, **{field: value})
    assert response.status_code == 200, response.text
    assert equal(response.json()[kind][field], shown(place, kind, field, value))


@pytest.mark.parametrize(("kind", "field"), names("update"))
def test_a_wrong_value_is_refused_by_name_on_update(world: MemoryWorld, kind: str, field: str) -> None:
    place, resource_id = stand(world, kind, field)
    for value in wrong_values(FIELDS[kind][field]):
        refused(place.put(kind, resource_id, **{field: value}), 400, field)


@pytest.mark.parametrize(("kind", "field"), names("update", does=False))
def test_a_field_that_cannot_be_updated_is_unknown_there(world: MemoryWorld, kind: str, field: str) -> None:
    place = Place(world)
    resource_id = _id(kind, place.post(kind).json()[kind])
    refused(place.put(kind, resource_id, **{field: None}), 400, f"Unknown attribute for argument {kind}: {field}")


@pytest.mark.parametrize(
    ("kind", "field"), [each for each in names("update") if "null_on_update" in FIELDS[each[0]][each[1]]]
)
def test_null_on_update_means_what_the_table_says(world: MemoryWorld, kind: str, field: str) -> None:
    place, resource_id = stand(world, kind, field)
    before = world.request("GET", f"{place.path(kind)}/{resource_id}").json()[kind][field]
    response = place.put(kind, resource_id, **{field: None})
    meant = FIELDS[kind][field]["null_on_update"]
    if meant == "400":
        refused(response, 400, field)
        return
    assert response.status_code == 200, response.text
    if meant == "no change":
        meant = before
    elif meant == "configured default":
        meant = DEFAULTS_WITH_TLS[field]
    elif isinstance(meant, str):
        meant = NULLS.get(meant, meant)
    assert response.json()[kind][field] == meant


NESTED: Mapping[str, Callable[[Body], Body]] = {
    "listener": lambda body: {"listeners": [{"protocol": "HTTP", "protocol_port": 80, **body}]},
    "pool": lambda body: {"pools": [{"name": "p", **POOL, **body}]},
    "member": lambda body: {"pools": [{"name": "p", **POOL, "members": [{**MEMBER, **body}]}]},
    "healthmonitor": lambda body: {"pools": [{"name": "p", **POOL, "healthmonitor": {**MONITOR, **body}}]},
    "l7policy": lambda body: {
        "listeners": [{"protocol": "HTTP", "protocol_port": 80, "l7policies": [{"action": "REJECT", **body}]}]
    },
    "rule": lambda body: {
        "listeners": [
            {"protocol": "HTTP", "protocol_port": 80, "l7policies": [{"action": "REJECT", "rules": [{**RULE, **body}]}]}
        ]
    },
}


@pytest.mark.parametrize(("kind", "field"), [each for each in names("nested_create") if each[0] in NESTED])
def test_a_wrong_value_is_refused_by_name_in_a_tree(world: MemoryWorld, kind: str, field: str) -> None:
    for value in wrong_values(FIELDS[kind][field]):
        refused(Place(world).post("loadbalancer", **NESTED[kind]({field: value})), 400, field)


@pytest.mark.parametrize(("kind", "field"), [each for each in names("nested_create", does=False) if each[0] in NESTED])
def test_a_field_that_cannot_be_nested_is_unknown_in_a_tree(world: MemoryWorld, kind: str, field: str) -> None:
    refused(Place(world).post("loadbalancer", **NESTED[kind]({field: None})), 400, field)
