"""`/l7policies/{id}/rules`: there is no list of all rules."""

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.faults import not_found
from actium_api.listing import collection
from actium_api.read_model.tables import L7_POLICIES, L7_RULES
from actium_api.requests import wrapped
from actium_api.routes.base import created, driver_of, ids_of, index, no_content, one, parent, route, row, stored
from actium_api.schemas import l7_rule as schema
from actium_api.schemas.fields import parse
from actium_api.schemas.l7_rule import L7RulePost, L7RulePut
from actium_shared.ids import L7PolicyId, L7RuleId, LoadBalancerId

KIND, KEY = "L7 Rule", "rule"
COLLECTION = collection(L7_RULES, "rules", more={"key": "rule_key", "l7policy_id": "l7_policy_id"})
"""That the policy is in the path already does not keep openstacksdk from filtering by it."""


async def list_(request: Request) -> Response:
    policy = await _policy(request)
    return await index(request, COLLECTION, {"l7_policy_id": policy["id"]})


async def get(request: Request) -> Response:
    found = await _rule(request)
    return one(request, KEY, found["body"])


async def post(request: Request) -> Response:
    policy = await _policy(request)
    sent = parse(L7RulePost, KEY, await wrapped(request, KEY))
    schema.check(sent)
    rule_id = ids_of(request).new()
    of = LoadBalancerId(policy["load_balancer_id"])
    driver = await driver_of(request, of)
    await driver.l7rule_create(of, sent.wish(rule_id), policy_id=L7PolicyId(policy["id"]), caller=caller(request))
    return await created(request, L7_RULES, rule_id, kind=KIND, key=KEY)


async def put(request: Request) -> Response:
    await _policy(request)
    sent = parse(L7RulePut, KEY, await wrapped(request, KEY))
    found = await _rule(request)
    before = stored(found)
    schema.check_change(sent, stored=before)
    of = LoadBalancerId(found["load_balancer_id"])
    await (await driver_of(request, of)).l7rule_update(
        of,
        L7RuleId(found["id"]),
        policy_id=L7PolicyId(found["l7_policy_id"]),
        changes=sent.changes(before),
        caller=caller(request),
    )
    return await get(request)


async def delete(request: Request) -> Response:
    found = await _rule(request)
    of = LoadBalancerId(found["load_balancer_id"])
    driver = await driver_of(request, of)
    await driver.l7rule_delete(
        of, L7RuleId(found["id"]), policy_id=L7PolicyId(found["l7_policy_id"]), caller=caller(request)
    )
    return no_content()


async def _policy(request: Request) -> sa.RowMapping:
    return await parent(request, L7_POLICIES, str(request.path_params["policy_id"]), kind="L7 Policy")


async def _rule(request: Request) -> sa.RowMapping:
    policy = await _policy(request)
    rule_id = str(request.path_params["id"])
    found = await row(request, L7_RULES, rule_id, kind=KIND)
    if found["l7_policy_id"] != policy["id"]:
        raise not_found(KIND, rule_id)
    return found


ROUTES = [
    route("/v2/l7policies/{policy_id}/rules/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/l7policies/{policy_id}/rules", GET=list_, POST=post),
]
