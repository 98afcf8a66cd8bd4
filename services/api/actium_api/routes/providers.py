"""`/providers`: who can serve a load balancer."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.faults import Fault, json_response
from actium_api.routes.base import route

DESCRIPTION = "The Actium provider."


async def list_(request: Request) -> Response:
    return json_response({"providers": [{"name": _provider(request), "description": DESCRIPTION}]})


async def flavor_capabilities(request: Request) -> Response:
    _check(request)
    return json_response({"flavor_capabilities": []})


async def zone_capabilities(request: Request) -> Response:
    _check(request)
    return json_response({"availability_zone_capabilities": []})


def _check(request: Request) -> None:
    name = request.path_params["provider"]
    if name != _provider(request):
        raise Fault(400, f"Provider '{name}' is not enabled: the one enabled is {_provider(request)}.")


def _provider(request: Request) -> str:
    return str(request.app.state.settings.default_provider)


ROUTES = [
    route("/v2/providers", GET=list_),
    route("/v2/providers/{provider}"),
    route("/v2/providers/{provider}/flavor_capabilities", GET=flavor_capabilities),
    route("/v2/providers/{provider}/availability_zone_capabilities", GET=zone_capabilities),
]
