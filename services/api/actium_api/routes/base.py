"""What all resources' routes share: dispatch by method, and reads of one resource or a page of them."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actium_api import idempotency, listing
from actium_api.access import demands
from actium_api.access.callers import caller
from actium_api.access.needs import need_of
from actium_api.asks import Asks
from actium_api.drivers import Driver, Drivers
from actium_api.faults import Fault, RouterFault, not_found, raw_response
from actium_api.listing import Collection
from actium_api.read_model import queries
from actium_api.settings import ApiSettings
from actium_shared.commands.network import FindSubnet
from actium_shared.ids import Ids, LoadBalancerId, SubnetId
from actium_shared.read_model import Database
from actium_shared.wishes import Value

NOT_FOUND = 404
W = TypeVar("W", bound=Value)
Endpoint = Callable[[Request], Awaitable[Response]]


def route(path: str, **methods: Endpoint) -> Route:
    """Give the route of a path, with an endpoint per method."""
    allowed = {"Allow": ", ".join(sorted(methods))}
    needs = {method: need_of(path, method) for method in methods}

    async def endpoint(request: Request) -> Response:
        chosen = methods.get(request.method)
        if chosen is None:
            raise MethodFault(allowed)
        demands.enter(request, needs[request.method])
        response = await chosen(request)
        demands.assure(request)
        return response

    made = Route(path, endpoint, name=" ".join(sorted(methods)))
    made.methods = None  # every method comes here, so that the refusal names all that are allowed
    return made


class MethodFault(RouterFault):
    """405, with the methods that are allowed."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(405, "Method Not Allowed", f"The methods allowed here are {headers['Allow']}.")
        self.headers = headers


def asks_of(request: Request) -> Asks:
    """Give the way to the services, to a request that is authorised."""
    demands.assure(request)
    asks: Asks = request.app.state.asks
    return asks


async def driver_of(request: Request, load_balancer_id: str) -> Driver:
    """Give the driver that serves a load balancer, to a request that is authorised."""
    demands.assure(request)
    return await drivers_of(request).serving(LoadBalancerId(load_balancer_id))


def drivers_of(request: Request) -> Drivers:
    drivers: Drivers = request.app.state.drivers
    return drivers


def ids_of(request: Request, *, parent_id: str = "") -> Ids:
    """Give the one source of ids of this request: a second with the same key would give the same again."""
    if not hasattr(request.state, "ids"):
        request.state.ids = idempotency.ids(request, parent_id=parent_id)
    ids: Ids = request.state.ids
    return ids


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def show(request: Request, table: sa.Table, row_id: str, *, kind: str, key: str) -> Response:
    """Give one resource as it is stored."""
    found = await database_of(request).read(lambda connection: queries.owned_body(connection, table, row_id))
    if found is None:
        raise not_found(kind, row_id)
    project_id, body = found
    if demands.has_owner(table):
        demands.authorise(request, project_id)
    return one(request, key, body)


def one(request: Request, key: str, body: bytes, *, status: int = 200) -> Response:
    """Give one resource's reply, or the fields of it that are asked for."""
    if b"fields=" in request.scope["query_string"]:
        fields = request.query_params.getlist("fields")
        body = listing.only_fields(body, fields) if fields else body
    return raw_response(b'{"%b":%b}' % (key.encode(), body), status=status)


async def created(request: Request, table: sa.Table, row_id: str, *, kind: str, key: str) -> Response:
    """Give the reply to a POST: the new resource."""
    response = await show(request, table, row_id, kind=kind, key=key)
    response.status_code = 201
    return response


async def index(request: Request, of: Collection, within: Mapping[str, Any] | None = None) -> Response:
    """Give a page of a collection; `within` are conditions that do not come from the client."""
    query = listing.parse(request, of, page_limit=request.app.state.settings.page_limit)
    only = {} if within is None else dict(within)
    if demands.has_owner(of.table):
        project_id = demands.listed_project(request, query.filters.get("project_id"))
        only |= {} if project_id is None else {"project_id": project_id}
    if only:
        query = dataclasses.replace(query, filters={**query.filters, **only})
    try:
        found = await database_of(request).read(lambda connection: queries.page(connection, of.table, query))
    except queries.UnknownMarkerError as exc:
        raise Fault(400, f"Invalid input for marker: there is nothing with the id '{exc}'.") from exc
    return listing.reply(request, of, query, found)


async def row(request: Request, table: sa.Table, row_id: str, *, kind: str) -> sa.RowMapping:
    """
    Give one resource's row: to learn where a wish belongs.

    Raises:
        Fault: there is none, or it is not the caller's to ask this of.
    """
    found = await database_of(request).read(lambda connection: queries.row(connection, table, row_id))
    if found is None:
        raise not_found(kind, row_id)
    if demands.has_owner(table):
        demands.authorise(request, found["project_id"])
    return found


def stored(found: sa.RowMapping) -> dict[str, Any]:
    """Give what a row shows."""
    document: dict[str, Any] = msgspec.json.decode(found["body"])
    return document


async def parent(request: Request, table: sa.Table, row_id: str, *, kind: str) -> sa.RowMapping:
    """
    Give the row of a resource on the way to others below it, which upstream refuses in its router's words.

    Raises:
        RouterFault: there is none.
        Fault: it is not the caller's.
    """
    try:
        return await row(request, table, row_id, kind=kind)
    except Fault as exc:
        if exc.status != NOT_FOUND:
            raise
        raise RouterFault(NOT_FOUND, "Not Found", exc.message) from exc


def unpack(found: sa.RowMapping, wish: type[W]) -> W:
    """Give the wish of a row."""
    return msgspec.msgpack.decode(found["wish"], type=wish)


def no_content() -> Response:
    return Response(status_code=204)


def accepted() -> Response:
    return Response(status_code=202)


async def confirm_subnets(request: Request, subnet_ids: Iterable[str | None]) -> None:
    """
    Have the network service look whether these exist; None is passed over.

    Raises:
        Fault: one does not (400), or nobody answers (503).
    """
    for subnet_id in sorted({each for each in subnet_ids if each is not None}):
        await asks_of(request).confirm(FindSubnet(subnet_id=SubnetId(subnet_id)), caller=caller(request))


def settings_of(request: Request) -> ApiSettings:
    settings: ApiSettings = request.app.state.settings
    return settings
