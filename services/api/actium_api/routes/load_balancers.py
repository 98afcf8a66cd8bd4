"""`/loadbalancers`."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from actium_api.auth import Caller, caller
from actium_api.faults import Fault, json_response, not_found
from actium_api.listing import collection
from actium_api.read_model import documents, queries
from actium_api.read_model.tables import LOAD_BALANCERS, STATISTICS
from actium_api.requests import wrapped
from actium_api.routes.base import asks_of, database_of, ids_of, index, no_content, one, route, row, show
from actium_api.schemas import load_balancer as schema
from actium_api.schemas.fields import parse
from actium_api.schemas.load_balancer import LoadBalancerPost, LoadBalancerPut, Tree
from actium_shared.commands.network import ReserveVip
from actium_shared.commands.planner import CreateLoadBalancer, DeleteLoadBalancer, UpdateLoadBalancer
from actium_shared.ids import LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.wishes import LoadBalancer, Vip

KIND, KEY = "Load Balancer", "loadbalancer"
COLLECTION = collection(LOAD_BALANCERS, "loadbalancers")
TRUE = frozenset(("true", "t", "yes", "y", "on", "1"))


async def list_(request: Request) -> Response:
    return await index(request, COLLECTION)


async def get(request: Request) -> Response:
    return await show(request, LOAD_BALANCERS, _id(request), kind=KIND, key=KEY)


async def post(request: Request) -> Response:
    sent = parse(LoadBalancerPost, KEY, await wrapped(request, KEY))
    schema.check(sent, providers=(request.app.state.settings.default_provider,))
    load_balancer_id = LoadBalancerId(ids_of(request).new())
    tree = schema.tree(sent, ids_of(request))
    who = caller(request)
    await _check_subnets(request, tree, who)
    project_id = ProjectId(sent.tenant_id or sent.project_id or who.project_id)
    vip = await asks_of(request).reserve_vip(_reservation(sent, load_balancer_id, project_id), caller=who)
    command = CreateLoadBalancer(
        load_balancer_id=load_balancer_id,
        load_balancer=_wish(request, sent, load_balancer_id, project_id, vip=vip),
        listeners=tree.listeners,
        pools=tree.pools,
    )
    await asks_of(request).decide(command, caller=who)
    found = await _tree(request, load_balancer_id)
    return json_response({KEY: documents.load_balancer_tree(**found)}, status=201)


async def _check_subnets(request: Request, tree: Tree, who: Caller) -> None:
    subnets = {member.subnet_id for pool in tree.pools for member in pool.members if member.subnet_id is not None}
    for subnet_id in sorted(subnets):
        await asks_of(request).find_subnet(subnet_id, caller=who)


def _reservation(sent: LoadBalancerPost, load_balancer_id: LoadBalancerId, project_id: ProjectId) -> ReserveVip:
    return ReserveVip(
        load_balancer_id=load_balancer_id,
        project_id=project_id,
        subnet_id=None if sent.vip_subnet_id is None else SubnetId(sent.vip_subnet_id),
        network_id=None if sent.vip_network_id is None else NetworkId(sent.vip_network_id),
        port_id=None if sent.vip_port_id is None else PortId(sent.vip_port_id),
        address=sent.vip_address,
    )


def _wish(
    request: Request, sent: LoadBalancerPost, load_balancer_id: LoadBalancerId, project_id: ProjectId, *, vip: Vip
) -> LoadBalancer:
    return LoadBalancer(
        id=load_balancer_id,
        project_id=project_id,
        vip=vip,
        name=sent.name,
        description=sent.description,
        admin_state_up=sent.admin_state_up,
        provider=sent.provider or request.app.state.settings.default_provider,
        tags=sent.tags,
    )


async def put(request: Request) -> Response:
    load_balancer_id = LoadBalancerId(_id(request))
    sent = parse(LoadBalancerPut, KEY, await wrapped(request, KEY))
    await row(request, LOAD_BALANCERS, load_balancer_id, kind=KIND)
    schema.refuse_unsupported(sent)
    command = UpdateLoadBalancer(load_balancer_id=load_balancer_id, changes=sent.changes())
    await asks_of(request).decide(command, caller=caller(request))
    return await get(request)


async def delete(request: Request) -> Response:
    load_balancer_id = LoadBalancerId(_id(request))
    await row(request, LOAD_BALANCERS, load_balancer_id, kind=KIND)
    cascade = request.query_params.get("cascade", "").lower() in TRUE
    command = DeleteLoadBalancer(load_balancer_id=load_balancer_id, cascade=cascade)
    await asks_of(request).decide(command, caller=caller(request))
    return no_content()


async def status(request: Request) -> Response:
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
    await row(request, LOAD_BALANCERS, _id(request), kind=KIND)
    raise Fault(501, "Provider 'actium' does not support a requested action: failover on demand is not there yet.")


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
