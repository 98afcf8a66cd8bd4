"""`/l7policies`; rules are in `l7_rules`."""

from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.faults import Fault
from actium_api.listing import collection
from actium_api.read_model.tables import L7_POLICIES, LISTENERS
from actium_api.requests import wrapped
from actium_api.routes.base import created, driver_of, ids_of, index, no_content, route, row, show
from actium_api.schemas import l7_policy as schema
from actium_api.schemas.fields import parse
from actium_api.schemas.l7_policy import L7PolicyPost, L7PolicyPut
from actium_shared.ids import L7PolicyId, LoadBalancerId

KIND, KEY = "L7 Policy", "l7policy"
COLLECTION = collection(
    L7_POLICIES,
    "l7policies",
    more={"listener_id": "listener_id", "redirect_pool_id": "redirect_pool_id", "position": "position"},
)


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, L7_POLICIES, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    sent = parse(L7PolicyPost, KEY, await wrapped(request, KEY))
    listener = await row(request, LISTENERS, sent.listener_id, kind="Listener")
    if sent.rules:
        raise Fault(400, "rules can be given only when a load balancer is created with all in it.")
    schema.check(sent)
    policy_id = ids_of(request, parent_id=sent.listener_id).new()
    wish = sent.wish(policy_id, listener_id=sent.listener_id, pool_id=sent.redirect_pool_id, position=sent.position)
    of = LoadBalancerId(listener["load_balancer_id"])
    await (await driver_of(request, of)).l7policy_create(of, wish, caller=caller(request))
    return await created(request, L7_POLICIES, policy_id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    sent = parse(L7PolicyPut, KEY, await wrapped(request, KEY))
    found = await row(request, L7_POLICIES, _id(request), kind=KIND)
    schema.check_change(sent)
    of, policy_id = LoadBalancerId(found["load_balancer_id"]), L7PolicyId(found["id"])
    driver = await driver_of(request, of)
    await driver.l7policy_update(of, policy_id, changes=sent.changes(), caller=caller(request))
    return await get(request)


async def delete(request: Request) -> Response:
    found = await row(request, L7_POLICIES, _id(request), kind=KIND)
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).l7policy_delete(of, L7PolicyId(found["id"]), caller=caller(request))
    return no_content()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/l7policies/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/l7policies", GET=list_, POST=post),
]
