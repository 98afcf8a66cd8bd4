"""`/healthmonitors`."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.listing import collection
from actium_api.read_model.tables import HEALTH_MONITORS, POOLS
from actium_api.requests import wrapped
from actium_api.routes.base import created, driver_of, ids_of, index, no_content, route, row, settings_of, show, stored
from actium_api.schemas import health_monitor as schema
from actium_api.schemas.fields import parse
from actium_api.schemas.health_monitor import HealthMonitorPost, HealthMonitorPut
from actium_shared.ids import HealthMonitorId, LoadBalancerId, PoolId

KIND, KEY = "Health Monitor", "healthmonitor"
COLLECTION = collection(HEALTH_MONITORS, "healthmonitors", more={"pool_id": "pool_id"})


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, HEALTH_MONITORS, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    sent = parse(HealthMonitorPost, KEY, await wrapped(request, KEY))
    pool = await row(request, POOLS, sent.pool_id, kind="Pool")
    schema.check(sent, settings_of(request))
    monitor_id = ids_of(request, parent_id=sent.pool_id).new()
    of, pool_id = LoadBalancerId(pool["load_balancer_id"]), PoolId(pool["id"])
    driver = await driver_of(request, of)
    await driver.health_monitor_create(of, sent.wish(monitor_id), pool_id=pool_id, caller=caller(request))
    return await created(request, HEALTH_MONITORS, monitor_id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(HealthMonitorPut, KEY, await wrapped(request, KEY))
    found = await row(request, HEALTH_MONITORS, _id(request), kind=KIND)
    schema.check_change(sent, monitor_type=found["type"], stored=stored(found), settings=settings_of(request))
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).health_monitor_update(
        of,
        HealthMonitorId(found["id"]),
        pool_id=PoolId(found["pool_id"]),
        changes=sent.changes(),
        caller=caller(request),
    )
    return await get(request)


async def delete(request: Request) -> Response:
    found = await row(request, HEALTH_MONITORS, _id(request), kind=KIND)
    of, monitor_id = LoadBalancerId(found["load_balancer_id"]), HealthMonitorId(found["id"])
    driver = await driver_of(request, of)
    await driver.health_monitor_delete(of, monitor_id, pool_id=PoolId(found["pool_id"]), caller=caller(request))
    return no_content()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/healthmonitors/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/healthmonitors", GET=list_, POST=post),
]
