"""`/loadbalancers`."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from actium_api import secret_checks
from actium_api.access import demands
from actium_api.access.callers import caller
from actium_api.access.rules import PREFIX
from actium_api.drivers import NO_ADDRESS, NewLoadBalancer
from actium_api.faults import json_response, not_found
from actium_api.listing import collection
from actium_api.read_model import documents, flavors, queries
from actium_api.read_model.tables import LOAD_BALANCERS, STATISTICS
from actium_api.requests import says_yes, wrapped
from actium_api.routes.base import (
    accepted,
    asks_of,
    confirm_subnets,
    database_of,
    driver_of,
    drivers_of,
    ids_of,
    index,
    no_content,
    one,
    route,
    row,
    settings_of,
    show,
)
from actium_api.schemas import load_balancer as schema
from actium_api.schemas.fields import parse
from actium_api.schemas.load_balancer import LoadBalancerPost, LoadBalancerPut
from actium_shared.commands.network import AdditionalVip, FindNetworkObjects, ReserveVip
from actium_shared.ids import LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.wishes import LoadBalancer

KIND, KEY = "Load Balancer", "loadbalancer"
COLLECTION = collection(LOAD_BALANCERS, "loadbalancers")


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, LOAD_BALANCERS, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    sent = parse(LoadBalancerPost, KEY, await wrapped(request, KEY))
    settings, ids, who = settings_of(request), ids_of(request), caller(request)
    schema.check(sent, settings, providers=drivers_of(request).descriptions)
    load_balancer_id = LoadBalancerId(ids.new())
    tree = schema.tree(sent, ids, settings)
    given = sent.tenant_id or sent.project_id
    project_id = ProjectId(demands.owner_of_new(request, given, *_more_actions(sent, "post")))
    await confirm_subnets(request, (member.subnet_id for pool in tree.pools for member in pool.members))
    await _confirm_network_objects(request, sent, load_balancer_id)
    pools = [each.pool for each in tree.pools]
    await secret_checks.check(request, project_id, *tree.listeners, *pools)
    provider = await _provider(request, sent)
    driver = drivers_of(request).named(provider)
    new = NewLoadBalancer(
        load_balancer=_wish(sent, load_balancer_id, project_id, provider=provider),
        listeners=tree.listeners,
        pools=tree.pools,
        l7_policies=tree.l7_policies,
    )
    vip = _reservation(sent, load_balancer_id, project_id)
    await driver.loadbalancer_create(new, vip, caller=who)
    found = await _tree(request, load_balancer_id)
    return json_response({KEY: documents.load_balancer_tree(**found)}, status=201)


async def _provider(request: Request, sent: LoadBalancerPost) -> str:
    """Give the provider that is asked for, or the flavor's, or the site's default; the planner checks that they agree."""
    if sent.provider:
        return sent.provider
    if sent.flavor_id:
        flavor_id = sent.flavor_id
        found = await database_of(request).read(lambda connection: flavors.provider(connection, flavor_id))
        if found is not None:
            return found
    return settings_of(request).default_provider


async def _confirm_network_objects(
    request: Request, sent: LoadBalancerPost | LoadBalancerPut, load_balancer_id: LoadBalancerId
) -> None:
    command = FindNetworkObjects(
        load_balancer_id=load_balancer_id,
        security_group_ids=sent.vip_sg_ids,
        qos_policy_id=sent.vip_qos_policy_id,
    )
    if command.security_group_ids or command.qos_policy_id is not None:
        await asks_of(request).confirm(command, caller=caller(request))


def _reservation(sent: LoadBalancerPost, load_balancer_id: LoadBalancerId, project_id: ProjectId) -> ReserveVip:
    return ReserveVip(
        load_balancer_id=load_balancer_id,
        project_id=project_id,
        subnet_id=None if sent.vip_subnet_id is None else SubnetId(sent.vip_subnet_id),
        network_id=None if sent.vip_network_id is None else NetworkId(sent.vip_network_id),
        port_id=None if sent.vip_port_id is None else PortId(sent.vip_port_id),
        address=sent.vip_address,
        additional=tuple(
            AdditionalVip(
                subnet_id=SubnetId(each.subnet_id),
                address=each.ip_address,
                port_id=None if each.port_id is None else PortId(each.port_id),
            )
            for each in sent.additional_vips
        ),
    )


def _wish(
    sent: LoadBalancerPost,
    load_balancer_id: LoadBalancerId,
    project_id: ProjectId,
    *,
    provider: str,
) -> LoadBalancer:
    return LoadBalancer(
        id=load_balancer_id,
        project_id=project_id,
        vip=NO_ADDRESS,
        name=sent.name,
        description=sent.description,
        admin_state_up=sent.admin_state_up,
        provider=provider,
        flavor_id=sent.flavor_id,
        availability_zone=sent.availability_zone,
        vip_qos_policy_id=sent.vip_qos_policy_id,
        vip_sg_ids=sent.vip_sg_ids,
        tags=sent.tags,
    )


async def put(request: Request) -> Response:
    load_balancer_id = LoadBalancerId(_id(request))
    sent = parse(LoadBalancerPut, KEY, await wrapped(request, KEY))
    found = await row(request, LOAD_BALANCERS, load_balancer_id, kind=KIND)
    demands.authorise(request, found["project_id"], *_more_actions(sent, "put"))
    await _confirm_network_objects(request, sent, load_balancer_id)
    driver = await driver_of(request, load_balancer_id)
    await driver.loadbalancer_update(load_balancer_id, sent.changes(), caller=caller(request))
    return await get(request)


def _more_actions(sent: LoadBalancerPost | LoadBalancerPut, method: str) -> tuple[str, ...]:
    """Security groups have an action of their own."""
    return (f"{PREFIX}{KEY}:{method}:vip_sg_ids",) if "vip_sg_ids" in sent.model_fields_set else ()


async def delete(request: Request) -> Response:
    load_balancer_id = LoadBalancerId(_id(request))
    await row(request, LOAD_BALANCERS, load_balancer_id, kind=KIND)
    cascade = says_yes(request, "cascade")
    driver = await driver_of(request, load_balancer_id)
    await driver.loadbalancer_delete(load_balancer_id, cascade=cascade, caller=caller(request))
    return no_content()


async def status(request: Request) -> Response:
    await row(request, LOAD_BALANCERS, _id(request), kind=KIND)
    found = await _tree(request, _id(request))
    return json_response({"statuses": {KEY: documents.status_tree(**found)}})


async def stats(request: Request) -> Response:
    load_balancer_id = _id(request)
    await row(request, LOAD_BALANCERS, load_balancer_id, kind=KIND)
    sums = await database_of(request).read(
        lambda connection: queries.statistics(connection, STATISTICS.c.load_balancer_id == load_balancer_id)
    )
    return one(request, "stats", msgspec.json.encode(sums))


async def failover(request: Request) -> Response:
    load_balancer_id = LoadBalancerId(_id(request))
    await row(request, LOAD_BALANCERS, load_balancer_id, kind=KIND)
    driver = await driver_of(request, load_balancer_id)
    await driver.loadbalancer_failover(load_balancer_id, caller=caller(request))
    return accepted()


async def _tree(request: Request, load_balancer_id: str) -> dict[str, Any]:
    found = await database_of(request).read(lambda connection: queries.tree(connection, load_balancer_id))
    if found is None:
        raise not_found(KIND, load_balancer_id)
    return found.decoded()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


ROUTES = [
    route("/v2/loadbalancers/{id}", GET=get, PUT=put, DELETE=delete),
    route("/v2/loadbalancers", GET=list_, POST=post),
    route("/v2/loadbalancers/{id}/status", GET=status),
    route("/v2/loadbalancers/{id}/statuses", GET=status),
    route("/v2/loadbalancers/{id}/stats", GET=stats),
    route("/v2/loadbalancers/{id}/failover", PUT=failover),
]
