"""Network v2.0, read-only: networks, subnets and ports from the read model; empty lists for all else that clients read."""

import logging
import re
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from actium_api.access import demands
from actium_api.access.callers import caller
from actium_api.access.rules import PREFIX
from actium_api.asks import Asks
from actium_api.facade import neutron
from actium_api.facade.listing import chosen, shown
from actium_api.faults import Fault
from actium_shared.commands.network import FindSubnet
from actium_shared.ids import SubnetId

log = logging.getLogger(__name__)

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

router = APIRouter(include_in_schema=False)

EVERYBODYS = f"{PREFIX}loadbalancer:get_all-global"
"""Who may see all load balancers may see all their ports."""

OWN = f"{PREFIX}loadbalancer:get_all"
"""Who may see his project's load balancers may see its ports, and the networks; nobody else has to do with them here."""


@router.get("/network")
@router.get("/network/")
async def versions(request: Request) -> Response:
    links = [{"rel": "self", "href": f"{request.base_url}network/v2.0/"}]
    return JSONResponse({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


@router.get("/network/v2.0")
@router.get("/network/v2.0/")
async def resources(request: Request) -> Response:
    base = f"{request.base_url}network/v2.0/"
    names = ("networks", "subnets", "ports", *neutron.EMPTY)
    listed = [
        {"name": name.removesuffix("s"), "collection": name, "links": [{"rel": "self", "href": base + name}]}
        for name in names
    ]
    return JSONResponse({"resources": listed})


@router.get("/network/v2.0/{path:path}")
async def read(request: Request, path: str) -> Response:
    """A collection, or `<collection>/<id>`; a name there is told to be unknown, and the client then lists by name."""
    if not (demands.may(request, EVERYBODYS, None) or demands.may(request, OWN, caller(request).project_id or None)):
        return fault(403, "PolicyNotAuthorized", f"Policy does not allow this request to be performed: {OWN}.")
    known = await _collections(request)
    if await _learn(request, path, known):
        known = await _collections(request)
    parts = [part.replace("-", "_") if index == 0 else part for index, part in enumerate(_parts(path))]
    match parts:
        case [name] if name in known:
            return JSONResponse({name: chosen(known[name], request.query_params)})
        case [name, wanted] if name in known:
            return _one(request, name, wanted, known[name])
        case _:
            return fault(404, "HTTPNotFound", "The resource could not be found.")


async def _learn(request: Request, path: str, known: neutron.Collections) -> bool:
    """Have the world asked for a subnet that is named by its id and not known: it may be there by now. Whether it is."""
    name, _, wanted = path.removesuffix("/").removesuffix(".json").partition("/")
    wanted = wanted or request.query_params.get("id", "")
    if name != "subnets" or not UUID.fullmatch(wanted) or any(each["id"] == wanted for each in known[name]):
        return False
    asks: Asks = request.app.state.asks
    try:
        return await asks.seek(FindSubnet(subnet_id=SubnetId(wanted)), caller=caller(request))
    except Fault as exc:
        log.info("nobody says whether there is such a subnet", extra={"subnet_id": wanted, "error": exc.message})
        return False


def _parts(path: str) -> list[str]:
    """`qos/policies` is the one collection whose path has two parts."""
    return path.removesuffix("/").removesuffix(".json").removeprefix("qos/").split("/")


def _one(request: Request, name: str, wanted: str, items: list[dict[str, Any]]) -> Response:
    singular = "policy" if name == "policies" else name.removesuffix("s")
    for item in items:
        if item["id"] == wanted:
            return JSONResponse({singular: shown(item, request.query_params.getlist("fields"))})
    kind = singular.title().replace("_", "")
    return fault(404, f"{kind}NotFound", f"{kind} {wanted} could not be found.")


async def _collections(request: Request) -> neutron.Collections:
    """Ports are their project's to see; networks and subnets are everybody's."""
    project_id = request.app.state.settings.default_project_id
    found: neutron.Collections = await request.app.state.database.read(
        lambda connection: neutron.collections(connection, project_id=project_id)
    )
    if not demands.may(request, EVERYBODYS, None):
        own = caller(request).project_id
        found["ports"] = [port for port in found["ports"] if port["project_id"] == own]
    return found


@router.api_route("/network/v2.0/{_path:path}", methods=["POST", "PUT", "PATCH", "DELETE"])
async def refuse(request: Request) -> Response:
    words = f"{request.method} is not possible: networks are read-only here; they are made with the world."
    return fault(405, "HTTPMethodNotAllowed", words)


def fault(status: int, kind: str, message: str) -> Response:
    """Refuse in the shape that network clients read."""
    return JSONResponse({"NeutronError": {"type": kind, "message": message, "detail": ""}}, status_code=status)
