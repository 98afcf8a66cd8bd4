"""`/octavia/amphorae`: for administrators, and only to look at so far."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.faults import Fault, json_response, not_found
from actium_api.listing import Collection
from actium_api.read_model import queries
from actium_api.read_model.amphora_rows import SHOWN
from actium_api.read_model.tables import AMPHORAE
from actium_api.routes.base import database_of, index, route, show

KIND, KEY = "Amphora", "amphora"
COLLECTION = Collection(
    table=AMPHORAE,
    plural="amphorae",
    filters={name: AMPHORAE.c[name] for name in sorted((*SHOWN, "project_id"))},
    tagged=False,
)


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, AMPHORAE, _id(request), kind=KIND, key=KEY)


async def stats(request: Request) -> Response:
    amphora_id = _id(request)
    await get(request)
    found = await database_of(request).read(lambda connection: queries.amphora_statistics(connection, amphora_id))
    if not found:
        raise not_found(f"Statistics of {KIND}", amphora_id)
    return json_response({"amphora_stats": found})


async def later(request: Request) -> Response:
    await get(request)
    raise Fault(501, "Amphorae cannot be deleted, failed over or configured by hand yet.")


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/octavia/amphorae/{id}", GET=get, DELETE=later),
    route("/v2/octavia/amphorae", GET=list_),
    route("/v2/octavia/amphorae/{id}/stats", GET=stats),
    route("/v2/octavia/amphorae/{id}/config", PUT=later),
    route("/v2/octavia/amphorae/{id}/failover", PUT=later),
]
