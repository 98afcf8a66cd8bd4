"""Identity v3: discovery, tokens for anyone, the one project, its users and domain. Nothing is kept."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from actium_api.facade import token as tokens
from actium_api.facade.listing import chosen
from actium_shared.ids import RandomIds

router = APIRouter(include_in_schema=False)

TITLES: Mapping[int, str] = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
}
BODY_MOST_BYTES = 64 * 1024


@router.get("/identity")
@router.get("/identity/")
async def versions(request: Request) -> Response:
    return JSONResponse({"versions": {"values": [_version(request)]}}, status_code=300)


@router.get("/identity/v3")
@router.get("/identity/v3/")
async def version(request: Request) -> Response:
    return JSONResponse({"version": _version(request)})


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.base_url}identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@router.post("/identity/v3/auth/tokens")
async def issue(request: Request) -> Response:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MOST_BYTES:
            return fault(413, f"the body must not exceed {BODY_MOST_BYTES} bytes")
    try:
        asked = msgspec.json.decode(body, type=tokens.AuthRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return fault(400, f"the request for a token cannot be read: {exc}")
    content = _token(request, asked.user, methods=asked.auth.identity.methods)
    return JSONResponse({"token": content}, status_code=201, headers={"X-Subject-Token": RandomIds().new()})


@router.get("/identity/v3/auth/tokens")
async def validate(request: Request) -> Response:
    """Any token is good, and whose it was is not remembered."""
    subject = request.headers.get("X-Subject-Token", "")
    content = _token(request, tokens.user("anonymous"), methods=("token",))
    return JSONResponse({"token": content}, headers={"X-Subject-Token": subject})


@router.delete("/identity/v3/auth/tokens")
async def revoke(_request: Request) -> Response:
    return Response(status_code=204)


@router.get("/identity/v3/auth/catalog")
async def catalogue(request: Request) -> Response:
    return JSONResponse({"catalog": tokens.catalogue(str(request.base_url)), "links": {}})


def _token(request: Request, user: Mapping[str, Any], *, methods: tuple[str, ...]) -> dict[str, Any]:
    return tokens.token(
        user,
        methods=methods,
        project_id=request.app.state.settings.default_project_id,
        base_url=str(request.base_url),
        now=request.app.state.clock.now(),
    )


@router.get("/identity/v3/{collection:path}")
async def read(request: Request, collection: str) -> Response:
    """A collection, or `<collection>/<id>`; some clients ask for a name there and expect to be told that there is none."""
    known = _collections(request)
    if collection in known:
        items = chosen(known[collection], request.query_params)
        return JSONResponse({collection.rpartition("/")[2]: items, "links": {"next": None}})
    name, _, wanted = collection.rpartition("/")
    for item in known.get(name, ()):
        if item["id"] == wanted:
            return JSONResponse({name.removesuffix("s"): item})
    return fault(404, f"Could not find {(name or collection).removesuffix('s')}: {wanted}.")


def _collections(request: Request) -> dict[str, list[dict[str, Any]]]:
    domain_id = tokens.DOMAIN["id"]
    project = {
        "id": request.app.state.settings.default_project_id,
        "name": tokens.PROJECT_NAME,
        "domain_id": domain_id,
        "parent_id": domain_id,
        "description": "",
        "enabled": True,
        "is_domain": False,
        "tags": [],
        "options": {},
    }
    admin = tokens.user("admin") | {"domain_id": domain_id, "enabled": True, "options": {}}
    domain = {**tokens.DOMAIN, "description": "", "enabled": True, "options": {}, "tags": []}
    region = {"id": tokens.REGION, "description": "", "parent_region_id": None}
    return {
        "projects": [project],
        "auth/projects": [project],
        f"users/{admin['id']}/projects": [project],
        "users": [admin],
        "domains": [domain],
        "auth/domains": [domain],
        "regions": [region],
        "roles": [{"id": name, "name": name, "domain_id": None, "options": {}} for name in tokens.ROLES],
        "groups": [],
    }


@router.api_route("/identity/v3/{_path:path}", methods=["POST", "PUT", "PATCH", "DELETE"])
async def refuse(request: Request) -> Response:
    return fault(405, f"{request.method} is not possible: identity is read-only in this world.")


def fault(status: int, message: str) -> Response:
    """Refuse in the shape that identity clients read."""
    return JSONResponse({"error": {"code": status, "title": TITLES[status], "message": message}}, status_code=status)
