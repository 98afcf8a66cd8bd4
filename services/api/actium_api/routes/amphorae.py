"""`/octavia/amphorae`: for administrators, who look at single amphorae and have them replaced, removed, configured anew."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.faults import json_response, not_found
from actium_api.listing import Collection
from actium_api.read_model import queries
from actium_api.read_model.amphora_rows import SHOWN
from actium_api.read_model.tables import AMPHORAE
from actium_api.routes.base import accepted, asks_of, database_of, index, no_content, route, row, show
from actium_shared.commands.planner import ApplianceCommand, FailOverAmphora, ReconfigureAmphora, RemoveAmphora
from actium_shared.ids import AmphoraId, ApplianceId

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


async def failover(request: Request) -> Response:
    await _have(request, FailOverAmphora)
    return accepted()


async def configure(request: Request) -> Response:
    await _have(request, ReconfigureAmphora)
    return accepted()


async def delete(request: Request) -> Response:
    await _have(request, RemoveAmphora)
    return no_content()


async def _have(request: Request, command: type[ApplianceCommand]) -> None:
    """Have the planner decide for the appliance that the amphora belongs to, or for the pool that it waits in."""
    amphora_id = _id(request)
    found = await row(request, AMPHORAE, amphora_id, kind=KIND)
    if found["body"] is None:
        raise not_found(KIND, amphora_id)
    wish = command(appliance_id=ApplianceId(found["appliance_id"]), amphora_id=AmphoraId(amphora_id))
    await asks_of(request).decide(wish, caller=caller(request))


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/octavia/amphorae/{id}", GET=get, DELETE=delete),
    route("/v2/octavia/amphorae", GET=list_),
    route("/v2/octavia/amphorae/{id}/stats", GET=stats),
    route("/v2/octavia/amphorae/{id}/config", PUT=configure),
    route("/v2/octavia/amphorae/{id}/failover", PUT=failover),
]
