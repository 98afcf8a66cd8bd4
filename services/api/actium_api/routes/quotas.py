"""`/quotas`: how much projects may have. What they use is not shown, as upstream does not."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.faults import Fault
from actium_api.listing import Collection
from actium_api.read_model import queries
from actium_api.read_model.catalogue_documents import OLD_SPELLINGS, quota
from actium_api.read_model.catalogue_tables import QUOTAS
from actium_api.requests import wrapped
from actium_api.routes.base import accepted, asks_of, database_of, index, one, route, settings_of
from actium_api.schemas.fields import parse
from actium_api.schemas.quota import QuotaPut
from actium_shared.commands.planner import ResetQuota, SetQuota
from actium_shared.ids import ProjectId
from actium_shared.quotas import RESOURCES

KEY = "quota"
PROJECT_MOST = 36
FILTERS = {name: QUOTAS.c[OLD_SPELLINGS.get(name, name)] for name in ("project_id", *RESOURCES, *OLD_SPELLINGS)}
COLLECTION = Collection(table=QUOTAS, plural="quotas", filters=FILTERS, tagged=False)


async def list_(request: Request) -> Response:
    """Show what projects have of their own: a limit that is the site's is null."""
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    """Show what holds for one project; one that nobody knows has the site's limits."""
    project_id = _project(request)
    body = await database_of(request).read(lambda connection: queries.body(connection, QUOTAS, project_id))
    return _shown(request, project_id, {} if body is None else msgspec.json.decode(body))


async def defaults(request: Request) -> Response:
    """Show the site's limits, under the name that was asked for."""
    return _shown(request, request.path_params.get("project_id", "defaults"), {})


async def put(request: Request) -> Response:
    project_id = _project(request)
    if len(project_id) > PROJECT_MOST:
        raise Fault(400, f"A project's id has at most {PROJECT_MOST} characters, and this has {len(project_id)}.")
    limits = parse(QuotaPut, KEY, await wrapped(request, KEY)).limits()
    await asks_of(request).decide(SetQuota(project_id=ProjectId(project_id), limits=limits), caller=caller(request))
    response = await get(request)
    response.status_code = 202
    return response


async def delete(request: Request) -> Response:
    command = ResetQuota(project_id=ProjectId(_project(request)))
    await asks_of(request).decide(command, caller=caller(request))
    return accepted()


def _shown(request: Request, project_id: str, own: Mapping[str, int | None]) -> Response:
    site = settings_of(request).site_quota()
    limits = {resource: site[resource] if own.get(resource) is None else own[resource] for resource in RESOURCES}
    return one(request, KEY, msgspec.json.encode(quota(project_id, limits)))


def _project(request: Request) -> str:
    return str(request.path_params["project_id"])


ROUTES = [
    route("/v2/quotas", GET=list_),
    route("/v2/quotas/defaults", GET=defaults),
    route("/v2/quotas/{project_id}/default", GET=defaults),
    route("/v2/quotas/{project_id}", GET=get, PUT=put, DELETE=delete),
]
