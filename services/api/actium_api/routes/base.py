"""What all resources' routes share: dispatch by method, and reads of one resource or a page of them."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actium_api import idempotency, listing
from actium_api.asks import Asks
from actium_api.faults import Fault, RouterFault, not_found, raw_response
from actium_api.listing import Collection
from actium_api.read_model import queries
from actium_shared.ids import Ids
from actium_shared.read_model import Database

Endpoint = Callable[[Request], Awaitable[Response]]


def route(path: str, **methods: Endpoint) -> Route:
    """Give the route of a path, with an endpoint per method."""
    allowed = {"Allow": ", ".join(sorted(methods))}

    async def endpoint(request: Request) -> Response:
        chosen = methods.get(request.method)
        if chosen is None:
            raise MethodFault(allowed)
        return await chosen(request)

    made = Route(path, endpoint)
    made.methods = None  # every method comes here, so that the refusal names all that are allowed
    return made


class MethodFault(RouterFault):
    """405, with the methods that are allowed."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(405, "Method Not Allowed", f"The methods allowed here are {headers['Allow']}.")
        self.headers = headers


def asks_of(request: Request) -> Asks:
    asks: Asks = request.app.state.asks
    return asks


def ids_of(request: Request) -> Ids:
    """Give the one source of ids of this request: a second with the same key would give the same again."""
    if not hasattr(request.state, "ids"):
        request.state.ids = idempotency.ids(request)
    ids: Ids = request.state.ids
    return ids


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def show(request: Request, table: sa.Table, row_id: str, *, kind: str, key: str) -> Response:
    """Give one resource as it is stored."""
    body = await database_of(request).read(lambda connection: queries.body(connection, table, row_id))
    if body is None:
        raise not_found(kind, row_id)
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
    if within:
        query = dataclasses.replace(query, filters={**query.filters, **within})
    try:
        found = await database_of(request).read(lambda connection: queries.page(connection, of.table, query))
    except queries.UnknownMarkerError as exc:
        raise Fault(400, f"Invalid input for marker: there is nothing with the id '{exc}'.") from exc
    return listing.reply(request, of, query, found)


async def row(request: Request, table: sa.Table, row_id: str, *, kind: str) -> sa.RowMapping:
    """
    Give one resource's row: to learn where a wish belongs.

    Raises:
        Fault: there is none.
    """
    found = await database_of(request).read(lambda connection: queries.row(connection, table, row_id))
    if found is None:
        raise not_found(kind, row_id)
    return found


def stored(found: sa.RowMapping) -> dict[str, Any]:
    """Give what a row shows."""
    document: dict[str, Any] = msgspec.json.decode(found["body"])
    return document


def no_content() -> Response:
    return Response(status_code=204)


def accepted() -> Response:
    return Response(status_code=202)
