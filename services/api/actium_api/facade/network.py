"""Network v2.0, read-only: networks, subnets and ports from the read model; empty lists for all else that clients read."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from actium_api.facade import neutron
from actium_api.facade.listing import chosen, shown

router = APIRouter()


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
    known = await _collections(request)
    parts = [part.replace("-", "_") if index == 0 else part for index, part in enumerate(_parts(path))]
    match parts:
        case [name] if name in known:
            return JSONResponse({name: chosen(known[name], request.query_params)})
        case [name, wanted] if name in known:
            return _one(request, name, wanted, known[name])
        case _:
            return fault(404, "HTTPNotFound", "The resource could not be found.")


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
    project_id = request.app.state.settings.default_project_id
    found: neutron.Collections = await request.app.state.database.read(
        lambda connection: neutron.collections(connection, project_id=project_id)
    )
    return found


@router.api_route("/network/v2.0/{_path:path}", methods=["POST", "PUT", "PATCH", "DELETE"])
async def refuse(request: Request) -> Response:
    words = f"{request.method} is not possible: networks are read-only here; they are made with the world."
    return fault(405, "HTTPMethodNotAllowed", words)


def fault(status: int, kind: str, message: str) -> Response:
    """Refuse in the shape that network clients read."""
    return JSONResponse({"NeutronError": {"type": kind, "message": message, "detail": ""}}, status_code=status)
