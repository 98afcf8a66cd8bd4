"""`/flavorprofiles`."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.drivers import profiles
from actium_api.listing import site_collection
from actium_api.read_model.catalogue_tables import FLAVOR_PROFILES
from actium_api.requests import wrapped
from actium_api.routes.base import asks_of, created, drivers_of, ids_of, index, no_content, route, row, show
from actium_api.schemas.fields import parse
from actium_api.schemas.flavor import FlavorProfilePost, FlavorProfilePut
from actium_shared.commands.planner import CreateFlavorProfile, DeleteFlavorProfile, UpdateFlavorProfile

KIND, KEY = "Flavor Profile", "flavorprofile"
COLLECTION = site_collection(FLAVOR_PROFILES, "flavorprofiles", links="flavorprofile_links")


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, FLAVOR_PROFILES, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    profile = parse(FlavorProfilePost, KEY, await wrapped(request, KEY)).wish(ids_of(request).new())
    await profiles.check_flavor(drivers_of(request), profile.provider_name, profile.flavor_data)
    await asks_of(request).decide(CreateFlavorProfile(flavor_profile=profile), caller=caller(request))
    return await created(request, FLAVOR_PROFILES, profile.id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(FlavorProfilePut, KEY, await wrapped(request, KEY))
    found = await row(request, FLAVOR_PROFILES, _id(request), kind=KIND)
    changes = sent.changes()
    provider, data = profiles.merged(found, changes.provider_name, changes.flavor_data, data_field="flavor_data")
    await profiles.check_flavor(drivers_of(request), provider, data)
    command = UpdateFlavorProfile(flavor_profile_id=_id(request), changes=changes)
    await asks_of(request).decide(command, caller=caller(request))
    return await get(request)


async def delete(request: Request) -> Response:
    command = DeleteFlavorProfile(flavor_profile_id=_id(request))
    await asks_of(request).decide(command, caller=caller(request))
    return no_content()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/flavorprofiles/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/flavorprofiles", GET=list_, POST=post),
]
