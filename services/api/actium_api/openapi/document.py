"""The OpenAPI document, put together from routes, collections, and the schemas of requests and replies."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import msgspec
from starlette.routing import Route

from actium_api.app import RESOURCES
from actium_api.openapi import replies, requests
from actium_api.openapi.replies import TEXT, TEXTS, Schema, fixed, list_of, named
from actium_api.routes.discovery import VERSIONS

REPLY_OF = {
    "loadbalancer": "LoadBalancer",
    "listener": "Listener",
    "pool": "Pool",
    "member": "Member",
    "healthmonitor": "HealthMonitor",
    "l7policy": "L7Policy",
    "rule": "L7Rule",
    "flavor": "Flavor",
    "flavorprofile": "FlavorProfile",
    "availability_zone": "AvailabilityZone",
    "availability_zone_profile": "AvailabilityZoneProfile",
    "quota": "Quota",
    "amphora": "Amphora",
}
"""By wrapping key."""

Reply = tuple[int, Schema | None]
CAPABILITIES = list_of(named("Provider"))
STATISTICS = fixed({"stats": named("Statistics")})
STATUSES = fixed({"statuses": fixed({"loadbalancer": named("LoadBalancerStatus")})})
REPLIES: Mapping[tuple[str, str], Reply] = {
    ("/", "GET"): (200, fixed({"versions": list_of(named("Version"))})),
    ("/v2", "GET"): (200, {"const": "v2"}),
    ("/openapi.json", "GET"): (200, {"type": "object"}),
    ("/v2/loadbalancers", "POST"): (201, fixed({"loadbalancer": named("LoadBalancerTree")})),
    ("/v2/loadbalancers/{id}/status", "GET"): (200, STATUSES),
    ("/v2/loadbalancers/{id}/statuses", "GET"): (200, STATUSES),
    ("/v2/loadbalancers/{id}/stats", "GET"): (200, STATISTICS),
    ("/v2/loadbalancers/{id}/failover", "PUT"): (202, None),
    ("/v2/listeners/{id}/stats", "GET"): (200, STATISTICS),
    ("/v2/pools/{pool_id}/members", "PUT"): (202, None),
    ("/v2/quotas/{project_id}", "PUT"): (202, fixed({"quota": named("Quota")})),
    ("/v2/quotas/{project_id}", "DELETE"): (202, None),
    ("/v2/providers", "GET"): (200, fixed({"providers": CAPABILITIES})),
    ("/v2/providers/{provider}/flavor_capabilities", "GET"): (200, fixed({"flavor_capabilities": CAPABILITIES})),
    ("/v2/providers/{provider}/availability_zone_capabilities", "GET"): (
        200,
        fixed({"availability_zone_capabilities": CAPABILITIES}),
    ),
    ("/v2/octavia/amphorae/{id}/stats", "GET"): (200, fixed({"amphora_stats": list_of(named("AmphoraStatistics"))})),
    ("/v2/octavia/amphorae/{id}/config", "PUT"): (202, None),
    ("/v2/octavia/amphorae/{id}/failover", "PUT"): (202, None),
}
"""What does not follow from path and method."""

BODILESS = frozenset(path for (path, method), (_, schema) in REPLIES.items() if method == "PUT" and schema is None)
BATCH = "/v2/pools/{pool_id}/members"
SWITCHES = {("/v2/loadbalancers/{id}", "DELETE"): "cascade", (BATCH, "PUT"): "additive_only"}
REFUSAL = {"anyOf": [named("Fault"), named("RouterFault")]}
REFUSALS: Mapping[int, str] = {
    400: "The request is invalid; the text names the field.",
    401: "There is no valid token.",
    403: "The policy does not allow it, or a quota is exceeded.",
    404: "It does not exist, or what the body refers to does not.",
    406: "The client does not accept JSON.",
    409: "It is in the way of something that exists, or is in use.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    500: "Something went wrong in the service.",
    501: "The provider cannot do this.",
    503: "The outcome is unknown or the service has just started; repeating is safe for PUT, DELETE and a POST with a key.",
}
FOR_DRIVERS = "/v1/"
OPEN = frozenset(("/", "/openapi.json"))
DESCRIPTION = """
Load balancing as a service, on the OpenStack load-balancer API, version 2.

`/v2` and `/v2.0` are the same, `lbaas` in paths may be left out, and everything may stand below `/load-balancer`.
Beside the types given here booleans and integers are taken as strings too. In a POST, null is as good as not sent.
"""


@cache
def document() -> bytes:
    """Give the document as it is sent."""
    return msgspec.json.encode(built())


def built() -> dict[str, Any]:
    """Give the document."""
    listed: dict[str, Any] = {}
    for resource, route in tenant_routes():
        operations = {method.lower(): _operation(resource, route, method) for method in _methods(route)}
        if operations:
            listed[shown_path(route.path)] = {**_path_parameters(route.path), **operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Actium", "version": VERSIONS[-1][0], "description": DESCRIPTION},
        "paths": dict(sorted(listed.items())),
        "components": {
            "schemas": {**replies.SCHEMAS, **requests.schemas()},
            "responses": {str(code): _refusal(code) for code in REFUSALS},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
        "security": [{"token": []}],
    }


def tenant_routes() -> Iterator[tuple[ModuleType, Route]]:
    """Give all routes but those for drivers, which describe themselves."""
    for resource in RESOURCES:
        for route in resource.ROUTES:
            if not route.path.startswith(FOR_DRIVERS):
                yield resource, route


def shown_path(path: str) -> str:
    """Give a route's path as the usual clients spell it."""
    plain = path.replace(":path}", "}")
    if not plain.startswith("/v2"):
        return plain
    rest = plain.removeprefix("/v2")
    return f"/v2.0{rest}" if not rest or rest.startswith("/octavia") else f"/v2.0/lbaas{rest}"


def _methods(route: Route) -> list[str]:
    return [method for method in route.name.split() if method != "HEAD"]


def _path_parameters(path: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)", path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    return {"parameters": parameters} if parameters else {}


def _operation(resource: ModuleType, route: Route, method: str) -> dict[str, Any]:
    path = route.path
    made: dict[str, Any] = {"operationId": f"{method.lower()} {shown_path(path)}", "tags": [_tag(resource)]}
    if parameters := list(_parameters(resource, path, method)):
        made["parameters"] = parameters
    body = _body(resource, path, method)
    if body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if path in OPEN:
        made["security"] = []
    return made | {"responses": _responses(resource, path, method)}


def _tag(resource: ModuleType) -> str:
    return resource.__name__.rpartition(".")[2].replace("_", " ")


def _is_list(resource: ModuleType, path: str, method: str) -> bool:
    return (
        method == "GET" and hasattr(resource, "COLLECTION") and not path.endswith("}") and (path, method) not in REPLIES
    )


def _parameters(resource: ModuleType, path: str, method: str) -> Iterator[Schema]:
    if _is_list(resource, path, method) and not _is_quota_of_one(path):
        yield from requests.of_collection(resource.COLLECTION)
    elif method == "GET" and path not in OPEN:
        yield requests.query("fields", TEXTS)
    if (path, method) in SWITCHES:
        yield requests.query(SWITCHES[path, method], {"type": "boolean"})
    if method == "POST":
        yield requests.IDEMPOTENCY


def _is_quota_of_one(path: str) -> bool:
    """Tell whether it is a quota that is not called by its project."""
    return path.endswith(("/defaults", "/default"))


def _body(resource: ModuleType, path: str, method: str) -> Schema | None:
    if method not in ("POST", "PUT") or path in BODILESS - {BATCH}:
        return None
    return requests.batch() if (path, method) == (BATCH, "PUT") else requests.body(resource.KEY, method)


def _responses(resource: ModuleType, path: str, method: str) -> dict[str, Any]:
    status, schema = _success(resource, path, method)
    found: dict[str, Any] = {str(status): {"description": "Done."}}
    if path == "/healthcheck":
        found["200"]["content"] = {"text/plain": {"schema": TEXT}}
    elif schema is not None:
        found[str(status)]["content"] = {"application/json": {"schema": schema}}
    return found | {str(code): {"$ref": f"#/components/responses/{code}"} for code in _refusals(path, method)}


def _refusal(code: int) -> Schema:
    said = named("Unauthorized") if code == 401 else REFUSAL
    return {"description": REFUSALS[code], "content": {"application/json": {"schema": said}}}


def _success(resource: ModuleType, path: str, method: str) -> Reply:
    known = REPLIES.get((path, method))
    if known is not None:
        return known
    if method == "DELETE":
        return 204, None
    if path == "/healthcheck":
        return 200, None
    one = named(REPLY_OF[resource.KEY])
    if _is_list(resource, path, method) and not _is_quota_of_one(path):
        collection = resource.COLLECTION
        return 200, fixed({collection.plural: list_of(one), collection.links_name: list_of(named("Link"))})
    return 201 if method == "POST" else 200, fixed({resource.KEY: one})


def _refusals(path: str, method: str) -> list[int]:
    if path in OPEN:
        return [406, 500]
    if method == "GET":
        return [400, 401, 403, 404, 406, 500, 503]
    return [code for code in REFUSALS if code not in (413, 415) or method != "DELETE"]
