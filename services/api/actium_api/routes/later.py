"""Resources whose features come later: their collections exist and are empty, and to make one is refused in words."""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actium_api.faults import Fault, RouterFault, json_response, not_found
from actium_api.routes.base import Endpoint, route

Made = Callable[[Request], Coroutine[Any, Any, Response]]

COLLECTIONS = (
    # path, key of the collection, key of its links, what one is called
    ("l7policies", "l7policies", "l7policies_links", "L7 Policy"),
    ("flavors", "flavors", "flavors_links", "Flavor"),
    ("flavorprofiles", "flavorprofiles", "flavorprofile_links", "Flavor Profile"),
    ("availabilityzones", "availability_zones", "availability_zones_links", "Availability Zone"),
    (
        "availabilityzoneprofiles",
        "availability_zone_profiles",
        "availability_zone_profile_links",
        "Availability Zone Profile",
    ),
)


def _empty(key: str, links: str) -> Made:
    async def list_(_request: Request) -> Response:
        return json_response({key: [], links: []})

    return list_


def _refusal(kind: str) -> Made:
    async def post(_request: Request) -> Response:
        raise Fault(501, f"Provider 'actium' does not support a requested option: {kind} is not there yet.")

    return post


def _unknown(kind: str) -> Made:
    async def item(request: Request) -> Response:
        raise not_found(kind, request.path_params["id"])

    return item


async def _rules(request: Request) -> Response:
    raise RouterFault(404, "Not Found", f"L7 Policy {request.path_params['id']} not found.")


def _routes(path: str, key: str, links: str, kind: str) -> list[Route]:
    unknown: Endpoint = _unknown(kind)
    return [
        route(f"/v2/{path}", GET=_empty(key, links), POST=_refusal(kind)),
        route(f"/v2/{path}/{{id}}", GET=unknown, PUT=unknown, DELETE=unknown),
    ]


ROUTES = [
    *(each for names in COLLECTIONS for each in _routes(*names)),
    route("/v2/l7policies/{id}/rules", GET=_rules, POST=_rules),
    route("/v2/l7policies/{id}/rules/{rule_id}", GET=_rules, PUT=_rules, DELETE=_rules),
]
