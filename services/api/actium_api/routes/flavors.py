"""`/flavors`."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.listing import site_collection
from actium_api.read_model.catalogue_tables import FLAVORS
from actium_api.requests import wrapped
from actium_api.routes.base import asks_of, created, ids_of, index, no_content, route, show
from actium_api.schemas.fields import parse
from actium_api.schemas.flavor import FlavorPost, FlavorPut
from actium_shared.commands.planner import CreateFlavor, DeleteFlavor, UpdateFlavor

KIND, KEY = "Flavor", "flavor"
COLLECTION = site_collection(FLAVORS, "flavors")


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, FLAVORS, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    flavor = parse(FlavorPost, KEY, await wrapped(request, KEY)).wish(ids_of(request).new())
    await asks_of(request).decide(CreateFlavor(flavor=flavor), caller=caller(request))
    return await created(request, FLAVORS, flavor.id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(FlavorPut, KEY, await wrapped(request, KEY))
    command = UpdateFlavor(flavor_id=_id(request), changes=sent.changes())
    await asks_of(request).decide(command, caller=caller(request))
    return await get(request)


async def delete(request: Request) -> Response:
    await asks_of(request).decide(DeleteFlavor(flavor_id=_id(request)), caller=caller(request))
    return no_content()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/flavors/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/flavors", GET=list_, POST=post),
]
