"""Paths of the operator API. A route parses, reads, renders; only secrets can be changed here."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actium_api.operator import dead_letters as letters
from actium_api.operator import secrets_api
from actium_api.operator import services as service_statuses
from actium_api.operator import story as stories
from actium_api.operator.errors import OperatorError, error_response
from actium_api.operator.events import EventsQuery, EventStream
from actium_api.operator.ndjson import NdjsonResponse
from actium_api.operator.relations import Relations
from actium_api.operator.starting_point import ends, starting_point, written_start
from actium_shared.bus import Bus
from actium_shared.errors import RetryableError

router = APIRouter(prefix="/operator/v1", include_in_schema=False)

READ_TIMEOUT_S = 60.0
"""For everything that has an end; a stream of events has none."""

START_HEADER = "X-Actium-From"
"""Where a stream of events begins, as `from` takes it: who was cut off goes on from there and from what was read."""

Route = Callable[[Request], Awaitable[Response]]


def answered(route: Route) -> Route:
    """Give a refusal its status and its words, and every read its deadline."""

    @wraps(route)
    async def answer(request: Request) -> Response:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await route(request)
        except OperatorError as exc:
            return error_response(exc)
        except RetryableError as exc:
            return error_response(OperatorError(503, f"the bus does not answer: {exc}"))
        except TimeoutError:
            return error_response(OperatorError(503, f"not read within {READ_TIMEOUT_S:.0f} s"))

    return answer


def rendered(content: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


@router.get("/services")
@answered
async def services(request: Request) -> Response:
    return rendered({"services": await service_statuses.statuses(bus_of(request))})


@router.get("/positions")
@answered
async def positions(request: Request) -> Response:
    """Where the log ends, as numbers and as text for `from`, and where each service stands."""
    bus = bus_of(request)
    newest, statuses = await asyncio.gather(ends(bus), service_statuses.statuses(bus))
    standing = {status.name: status.positions for status in statuses}
    return rendered({"streams": newest, "next": written_start(newest), "services": standing})


@router.get("/events")
@answered
async def events(request: Request) -> Response:
    query = EventsQuery.parse(request.query_params)
    bus, relations = bus_of(request), relations_of(request)
    until = await ends(bus)
    after = await starting_point(bus, query.begin, until=until)
    await relations.refresh(bus)
    stream = EventStream(bus=bus, relations=relations, query=query, after=after, until=until)
    stopping = getattr(request.app.state, "stopping", None)
    return NdjsonResponse(stream.tell, headers={START_HEADER: written_start(after)}, stopping=stopping)


@router.get("/load-balancers/{load_balancer_id}/story")  # noqa: FAST003 - read from the request, as all routes do
@answered
async def story(request: Request) -> Response:
    load_balancer_id = request.path_params["load_balancer_id"]
    return rendered(await stories.story(bus_of(request), relations_of(request), load_balancer_id))


@router.get("/dead-letters")
@answered
async def dead_letters(request: Request) -> Response:
    return rendered({"dead_letters": await letters.dead_letters(bus_of(request))})


@router.get("/secrets")
@answered
async def secrets(request: Request) -> Response:
    return rendered({"secrets": await secrets_api.listed(request)})


@router.post("/secrets")
@answered
async def put_secret(request: Request) -> Response:
    secret, is_new = await secrets_api.put(request)
    return rendered({"secret": secret}, status=201 if is_new else 200)


@router.delete("/secrets")
@answered
async def delete_secret(request: Request) -> Response:
    await secrets_api.delete(request)
    return Response(status_code=204)


def bus_of(request: Request) -> Bus:
    bus: Bus = request.app.state.bus
    return bus


def relations_of(request: Request) -> Relations:
    """Give the process's one memory of relations, made by the first who needs it."""
    state = request.app.state
    if not hasattr(state, "relations"):
        state.relations = Relations()
    relations: Relations = state.relations
    return relations
