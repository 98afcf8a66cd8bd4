"""`/availabilityzoneprofiles`."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.drivers import profiles
from actium_api.listing import site_collection
from actium_api.read_model.catalogue_tables import AVAILABILITY_ZONE_PROFILES
from actium_api.requests import wrapped
from actium_api.routes.base import asks_of, created, drivers_of, ids_of, index, no_content, route, row, show
from actium_api.schemas.availability_zone import AvailabilityZoneProfilePost, AvailabilityZoneProfilePut
from actium_api.schemas.fields import parse
from actium_shared.commands.planner import (
    CreateAvailabilityZoneProfile,
    DeleteAvailabilityZoneProfile,
    UpdateAvailabilityZoneProfile,
)

KIND, KEY = "Availability Zone Profile", "availability_zone_profile"
COLLECTION = site_collection(
    AVAILABILITY_ZONE_PROFILES, "availability_zone_profiles", links="availability_zone_profile_links"
)


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, AVAILABILITY_ZONE_PROFILES, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    profile = parse(AvailabilityZoneProfilePost, KEY, await wrapped(request, KEY)).wish(ids_of(request).new())
    await profiles.check_zone(drivers_of(request), profile.provider_name, profile.availability_zone_data)
    command = CreateAvailabilityZoneProfile(availability_zone_profile=profile)
    await asks_of(request).decide(command, caller=caller(request))
    return await created(request, AVAILABILITY_ZONE_PROFILES, profile.id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(AvailabilityZoneProfilePut, KEY, await wrapped(request, KEY))
    found = await row(request, AVAILABILITY_ZONE_PROFILES, _id(request), kind=KIND)
    changes = sent.changes()
    provider, data = profiles.merged(
        found, changes.provider_name, changes.availability_zone_data, data_field="availability_zone_data"
    )
    await profiles.check_zone(drivers_of(request), provider, data)
    command = UpdateAvailabilityZoneProfile(availability_zone_profile_id=_id(request), changes=changes)
    await asks_of(request).decide(command, caller=caller(request))
    return await get(request)


async def delete(request: Request) -> Response:
    command = DeleteAvailabilityZoneProfile(availability_zone_profile_id=_id(request))
    await asks_of(request).decide(command, caller=caller(request))
    return no_content()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/availabilityzoneprofiles/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/availabilityzoneprofiles", GET=list_, POST=post),
]
