"""`/availabilityzones`: known by their names."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.listing import site_collection
from actium_api.read_model.catalogue_tables import AVAILABILITY_ZONES
from actium_api.requests import wrapped
from actium_api.routes.base import asks_of, created, ids_of, index, no_content, route, show
from actium_api.schemas.availability_zone import AvailabilityZonePost, AvailabilityZonePut
from actium_api.schemas.fields import parse
from actium_shared.commands.planner import CreateAvailabilityZone, DeleteAvailabilityZone, UpdateAvailabilityZone

KIND, KEY = "Availability Zone", "availability_zone"
COLLECTION = site_collection(AVAILABILITY_ZONES, "availability_zones", key="name")


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, AVAILABILITY_ZONES, _name(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    zone = parse(AvailabilityZonePost, KEY, await wrapped(request, KEY)).wish(ids_of(request).new())
    await asks_of(request).decide(CreateAvailabilityZone(availability_zone=zone), caller=caller(request))
    return await created(request, AVAILABILITY_ZONES, zone.name, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(AvailabilityZonePut, KEY, await wrapped(request, KEY))
    command = UpdateAvailabilityZone(name=_name(request), changes=sent.changes())
    await asks_of(request).decide(command, caller=caller(request))
    return await get(request)


async def delete(request: Request) -> Response:
    await asks_of(request).decide(DeleteAvailabilityZone(name=_name(request)), caller=caller(request))
    return no_content()


def _name(request: Request) -> str:
    return str(request.path_params["name"])


ROUTES = [
    route("/v2/availabilityzones/{name:path}", GET=get, PUT=put, DELETE=delete),  # a name may hold slashes
    route("/v2/availabilityzones", GET=list_, POST=post),
]
