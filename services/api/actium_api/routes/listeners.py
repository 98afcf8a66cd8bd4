"""`/listeners`."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from actium_api import secret_checks
from actium_api.access.callers import caller
from actium_api.faults import Fault
from actium_api.listing import collection
from actium_api.read_model import queries
from actium_api.read_model.tables import LISTENERS, LOAD_BALANCERS, STATISTICS
from actium_api.requests import wrapped
from actium_api.routes.base import (
    created,
    database_of,
    driver_of,
    ids_of,
    index,
    no_content,
    one,
    route,
    row,
    settings_of,
    show,
    unpack,
)
from actium_api.schemas import listener as schema
from actium_api.schemas import tls
from actium_api.schemas.fields import parse
from actium_api.schemas.listener import ListenerPost, ListenerPut
from actium_shared.ids import ListenerId, LoadBalancerId
from actium_shared.wishes import Listener

KIND, KEY = "Listener", "listener"
SDK_LOAD_BALANCER = "load_balancer_id"
"""What openstacksdk calls the filter `loadbalancer_id`, of listeners alone."""

COLLECTION = collection(
    LISTENERS,
    "listeners",
    more={
        "loadbalancer_id": "load_balancer_id",
        SDK_LOAD_BALANCER: "load_balancer_id",
        "default_pool_id": "default_pool_id",
    },
)


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, LISTENERS, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    sent = parse(ListenerPost, KEY, await wrapped(request, KEY))
    load_balancer = await row(request, LOAD_BALANCERS, sent.loadbalancer_id, kind="Load Balancer")
    if sent.default_pool or sent.l7policies:
        raise Fault(
            400, "default_pool and l7policies can be given only when a load balancer is created with all in it."
        )
    settings, who = settings_of(request), caller(request)
    schema.check(sent, settings)
    listener_id = ids_of(request, parent_id=sent.loadbalancer_id).new()
    wish = sent.wish(listener_id, default_pool_id=sent.default_pool_id, site=tls.listeners(settings))
    await secret_checks.check(request, load_balancer["project_id"], wish)
    driver = await driver_of(request, sent.loadbalancer_id)
    await driver.listener_create(LoadBalancerId(sent.loadbalancer_id), wish, caller=who)
    return await created(request, LISTENERS, listener_id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(ListenerPut, KEY, await wrapped(request, KEY))
    found = await row(request, LISTENERS, _id(request), kind=KIND)
    settings, who = settings_of(request), caller(request)
    schema.check_change(sent, protocol=found["protocol"], settings=settings)
    changes = sent.changes(tls.listeners(settings))
    if sent.model_fields_set & secret_checks.LISTENER_FIELDS:
        before = unpack(found, Listener)
        wish = secret_checks.changed(before, changes)
        await secret_checks.check(request, found["project_id"], wish, before=before)
    of, listener_id = LoadBalancerId(found["load_balancer_id"]), ListenerId(found["id"])
    await (await driver_of(request, of)).listener_update(of, listener_id, changes=changes, caller=who)
    return await get(request)


async def delete(request: Request) -> Response:
    found = await row(request, LISTENERS, _id(request), kind=KIND)
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).listener_delete(of, ListenerId(found["id"]), caller=caller(request))
    return no_content()


async def stats(request: Request) -> Response:
    listener_id = _id(request)
    await row(request, LISTENERS, listener_id, kind=KIND)
    sums = await database_of(request).read(
        lambda connection: queries.statistics(connection, STATISTICS.c.listener_id == listener_id)
    )
    return one(request, "stats", msgspec.json.encode(sums))


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/listeners/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/listeners", GET=list_, POST=post),
    route("/v2/listeners/{id}/stats", GET=stats),
]
