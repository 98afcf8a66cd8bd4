"""`/pools/{id}/members`: there is no list of all members."""

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.faults import Fault, not_found
from actium_api.listing import collection
from actium_api.read_model.tables import MEMBERS, POOLS
from actium_api.requests import says_yes, wrapped
from actium_api.routes.base import (
    accepted,
    confirm_subnets,
    created,
    driver_of,
    ids_of,
    index,
    no_content,
    one,
    parent,
    route,
    row,
    settings_of,
)
from actium_api.schemas import member as schema
from actium_api.schemas.fields import parse
from actium_api.schemas.member import MemberPost, MemberPut
from actium_shared.commands.planner import BatchMember
from actium_shared.ids import LoadBalancerId, MemberId, PoolId

KIND, KEY = "Member", "member"
COLLECTION = collection(MEMBERS, "members")


async def list_(request: Request) -> Response:
    pool = await _pool(request)
    return await index(request, COLLECTION, {"pool_id": pool["id"]})


async def get(request: Request) -> Response:
    found = await _member(request)
    return one(request, KEY, found["body"])


async def post(request: Request) -> Response:
    pool = await _pool(request)
    sent = parse(MemberPost, KEY, await wrapped(request, KEY))
    schema.check(sent, settings_of(request))
    who = caller(request)
    await confirm_subnets(request, (sent.subnet_id,))
    member_id = ids_of(request).new()
    of = LoadBalancerId(pool["load_balancer_id"])
    driver = await driver_of(request, of)
    await driver.member_create(of, sent.wish(member_id), pool_id=PoolId(pool["id"]), caller=who)
    return await created(request, MEMBERS, member_id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    await _pool(request)
    sent = parse(MemberPut, KEY, await wrapped(request, KEY))
    found = await _member(request)
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).member_update(
        of,
        MemberId(found["id"]),
        pool_id=PoolId(found["pool_id"]),
        changes=sent.changes(),
        caller=caller(request),
    )
    return await get(request)


async def delete(request: Request) -> Response:
    found = await _member(request)
    of = LoadBalancerId(found["load_balancer_id"])
    driver = await driver_of(request, of)
    await driver.member_delete(of, MemberId(found["id"]), pool_id=PoolId(found["pool_id"]), caller=caller(request))
    return no_content()


async def put_all(request: Request) -> Response:
    """Make the pool's members these; with `additive_only` those left out stay."""
    pool = await _pool(request)
    sent = await wrapped(request, "members")
    if not isinstance(sent, list):
        raise Fault(400, "Invalid input for field/attribute members. It must be a list of members.")
    members = [parse(MemberPost, "body", each, inside=f"members[{number}]") for number, each in enumerate(sent)]
    for each in members:
        schema.check(each, settings_of(request))
    who = caller(request)
    await confirm_subnets(request, (each.subnet_id for each in members))
    of = LoadBalancerId(pool["load_balancer_id"])
    await (await driver_of(request, of)).member_batch_update(
        of,
        PoolId(pool["id"]),
        members=[_batch_member(request, each) for each in members],
        additive_only=says_yes(request, "additive_only"),
        caller=who,
    )
    return accepted()


def _batch_member(request: Request, sent: MemberPost) -> BatchMember:
    return BatchMember(member=sent.wish(ids_of(request).new()), sent=tuple(sorted(sent.model_fields_set)))


async def _pool(request: Request) -> sa.RowMapping:
    return await parent(request, POOLS, str(request.path_params["pool_id"]), kind="Pool")


async def _member(request: Request) -> sa.RowMapping:
    pool = await _pool(request)
    member_id = str(request.path_params["id"])
    found = await row(request, MEMBERS, member_id, kind=KIND)
    if found["pool_id"] != pool["id"]:
        raise not_found(KIND, member_id)
    return found


ROUTES = [
    route("/v2/pools/{pool_id}/members/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/pools/{pool_id}/members", GET=list_, POST=post, PUT=put_all),
]
