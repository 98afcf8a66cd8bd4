"""`/providers`: who can serve a load balancer, and what each understands of flavors and zones."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from actium_api.drivers import Driver
from actium_api.faults import Fault, json_response
from actium_api.routes.base import drivers_of, route

FIELDS = ("name", "description")


async def list_(request: Request) -> Response:
    found = drivers_of(request).descriptions
    return json_response({"providers": [_described(name, text) for name, text in found.items()]})


async def flavor_capabilities(request: Request) -> Response:
    found = await _driver(request).get_supported_flavor_metadata()
    return _capabilities(request, "flavor_capabilities", found)


async def zone_capabilities(request: Request) -> Response:
    found = await _driver(request).get_supported_availability_zone_metadata()
    return _capabilities(request, "availability_zone_capabilities", found)


def _driver(request: Request) -> Driver:
    return drivers_of(request).named(str(request.path_params["provider"]))


def _capabilities(request: Request, key: str, options: Mapping[str, str]) -> Response:
    wanted = _filters(request)
    every = [_described(name, text) for name, text in options.items()]
    found = [each for each in every if all(each[field] == value for field, value in wanted.items())]
    shown = request.query_params.getlist("fields") or FIELDS
    return json_response({key: [{field: each[field] for field in FIELDS if field in shown} for each in found]})


def _filters(request: Request) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for field, value in request.query_params.multi_items():
        if field == "fields":
            continue
        if field not in FIELDS:
            raise Fault(400, f"Unknown query parameter {field}: capabilities can be filtered by {', '.join(FIELDS)}.")
        if field in wanted:
            raise Fault(400, f"Query parameter {field} is given more than once.")
        wanted[field] = value
    return wanted


def _described(name: str, description: str) -> dict[str, str]:
    return {"name": name, "description": description}


ROUTES = [
    route("/v2/providers", GET=list_),
    route("/v2/providers/{provider}"),
    route("/v2/providers/{provider}/flavor_capabilities", GET=flavor_capabilities),
    route("/v2/providers/{provider}/availability_zone_capabilities", GET=zone_capabilities),
]
