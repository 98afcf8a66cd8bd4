"""`/quotas`: nothing is limited yet, so every project shows the defaults."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.faults import Fault, json_response
from actium_api.routes.base import route

UNLIMITED = -1
RESOURCES = (
    "loadbalancer",
    "load_balancer",
    "listener",
    "member",
    "pool",
    "healthmonitor",
    "health_monitor",
    "l7policy",
    "l7rule",
)
"""Two of them in two spellings, and clients read the old ones."""


async def list_(_request: Request) -> Response:
    return json_response({"quotas": [], "quotas_links": []})


async def get(request: Request) -> Response:
    project_id = request.path_params["project_id"]
    return json_response({"quota": {"project_id": project_id, "tenant_id": project_id, **_defaults()}})


async def defaults(_request: Request) -> Response:
    return json_response({"quota": {"project_id": None, "tenant_id": None, **_defaults()}})


async def put(_request: Request) -> Response:
    raise Fault(501, "Quotas cannot be set yet.")


async def delete(request: Request) -> Response:
    raise Fault(404, f"Quota {request.path_params['project_id']} not found.")


def _defaults() -> dict[str, int]:
    return dict.fromkeys(RESOURCES, UNLIMITED)


ROUTES = [
    route("/v2/quotas", GET=list_),
    route("/v2/quotas/defaults", GET=defaults),
    route("/v2/quotas/{project_id}/default", GET=defaults),
    route("/v2/quotas/{project_id}", GET=get, PUT=put, DELETE=delete),
]
