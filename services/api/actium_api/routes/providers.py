"""`/providers`: who can serve a load balancer, and what each understands of flavors and zones."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from actium_api.faults import Fault, json_response
from actium_api.routes.base import route
from actium_shared.provider_options import FLAVOR_OPTIONS, PROVIDERS, ZONE_OPTIONS, Option

FIELDS = ("name", "description")


async def list_(_request: Request) -> Response:
    return json_response({"providers": [_described(name, text) for name, text in PROVIDERS.items()]})


async def flavor_capabilities(request: Request) -> Response:
    return _capabilities(request, "flavor_capabilities", FLAVOR_OPTIONS)


async def zone_capabilities(request: Request) -> Response:
    return _capabilities(request, "availability_zone_capabilities", ZONE_OPTIONS)


def _capabilities(request: Request, key: str, options: Mapping[str, Option]) -> Response:
    name = request.path_params["provider"]
    if name not in PROVIDERS:
        raise Fault(400, f"Provider '{name}' is not enabled: those enabled are {', '.join(PROVIDERS)}.")
    wanted = _filters(request)
    every = [_described(name, option.description) for name, option in options.items()]
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
