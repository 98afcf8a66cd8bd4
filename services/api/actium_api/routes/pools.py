"""`/pools`; members are in `members`."""

from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from actium_api import secret_checks
from actium_api.access.callers import caller
from actium_api.faults import Fault
from actium_api.listing import collection
from actium_api.read_model.tables import LISTENERS, LOAD_BALANCERS, POOLS
from actium_api.requests import wrapped
from actium_api.routes.base import (
    created,
    driver_of,
    ids_of,
    index,
    no_content,
    route,
    row,
    settings_of,
    show,
    stored,
    unpack,
)
from actium_api.schemas import pool as schema
from actium_api.schemas import tls
from actium_api.schemas.fields import parse
from actium_api.schemas.pool import Persistence, PoolPost, PoolPut
from actium_shared.ids import ListenerId, LoadBalancerId, PoolId
from actium_shared.wishes import Pool

KIND, KEY = "Pool", "pool"
COLLECTION = collection(POOLS, "pools", more={"loadbalancer_id": "load_balancer_id"})


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, POOLS, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    sent = parse(PoolPost, KEY, await wrapped(request, KEY))
    load_balancer_id, project_id = await _parent(request, sent)
    if sent.members or sent.healthmonitor:
        raise Fault(400, "members and healthmonitor can be given only when a load balancer is created with all in it.")
    settings, who = settings_of(request), caller(request)
    schema.check(sent, settings)
    pool_id = ids_of(request, parent_id=load_balancer_id).new()
    wish = sent.pool(pool_id, tls.pools(settings))
    await secret_checks.check(request, project_id, wish)
    of = LoadBalancerId(load_balancer_id)
    listener_id = None if sent.listener_id is None else ListenerId(sent.listener_id)
    await (await driver_of(request, of)).pool_create(of, wish, listener_id=listener_id, caller=who)
    return await created(request, POOLS, pool_id, kind=KIND, key=KEY)


async def _parent(request: Request, sent: PoolPost) -> tuple[str, str]:
    """Give the load balancer that the pool shall stand on, named by itself, by a listener of it, or both; and its project."""
    if sent.listener_id is None and sent.loadbalancer_id is None:
        raise Fault(400, "Validation failure: Must provide at least one of: loadbalancer_id, listener_id.")
    found = None
    if sent.loadbalancer_id is not None:
        found = await row(request, LOAD_BALANCERS, sent.loadbalancer_id, kind="Load Balancer")
    if sent.listener_id is not None:
        found = await row(request, LISTENERS, sent.listener_id, kind="Listener")
        if sent.loadbalancer_id not in (None, found["load_balancer_id"]):
            raise Fault(400, f"listener_id {sent.listener_id} is not on loadbalancer_id {sent.loadbalancer_id}.")
    assert found is not None
    return found["load_balancer_id"], found["project_id"]


async def put(request: Request) -> Response:
    sent = parse(PoolPut, KEY, await wrapped(request, KEY))
    found = await row(request, POOLS, _id(request), kind=KIND)
    persistence = _persistence(sent, found)
    settings, who = settings_of(request), caller(request)
    schema.check_change(sent, settings)
    changes = sent.changes(persistence, stored=stored(found), site=tls.pools(settings))
    if sent.model_fields_set & secret_checks.POOL_FIELDS:
        before = unpack(found, Pool)
        wish = secret_checks.changed(before, changes)
        await secret_checks.check(request, found["project_id"], wish, before=before)
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).pool_update(of, PoolId(found["id"]), changes=changes, caller=who)
    return await get(request)


def _persistence(sent: PoolPut, found: sa.RowMapping) -> Persistence | None:
    """Give the persistence that is sent, with the type of the stored one where none is sent."""
    if sent.session_persistence is None:
        return None
    before: dict[str, Any] = stored(found)["session_persistence"] or {}
    whole = {"type": before.get("type"), **sent.session_persistence}
    persistence = parse(Persistence, KEY, whole, inside="session_persistence")
    schema.check_persistence(persistence, protocol=found["protocol"])
    return persistence


async def delete(request: Request) -> Response:
    found = await row(request, POOLS, _id(request), kind=KIND)
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).pool_delete(of, PoolId(found["id"]), caller=caller(request))
    return no_content()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/pools/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/pools", GET=list_, POST=post),
]
