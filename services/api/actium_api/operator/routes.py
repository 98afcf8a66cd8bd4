"""Paths of the operator API. A route parses, reads or asks, renders."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actium_api.operator import authority as authorities
from actium_api.operator import dead_letters as letters
from actium_api.operator import fleet, lifecycle, losses, rollouts, secrets_api
from actium_api.operator import services as service_statuses
from actium_api.operator import story as stories
from actium_api.operator.errors import OperatorError, error_response
from actium_api.operator.events import EventsQuery, EventStream
from actium_api.operator.ndjson import NdjsonResponse
from actium_api.operator.relations import Relations
from actium_api.operator.starting_point import ends, starting_point, written_start
from actium_api.settings import ApiSettings
from actium_shared.bus import Bus
from actium_shared.errors import RetryableError
from actium_shared.read_model import Database

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
    return rendered({"services": await statuses_of(request)})


@router.get("/positions")
@answered
async def positions(request: Request) -> Response:
    """Where the log ends, as numbers and as text for `from`, and where each service stands."""
    bus = bus_of(request)
    newest, statuses = await asyncio.gather(ends(bus), statuses_of(request))
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


@router.post("/dead-letters/{letter}/{word}")  # noqa: FAST003 - read from the request, as all routes do
@answered
async def decide_on_dead_letter(request: Request) -> Response:
    await letters.decide(request, bus_of(request))
    return Response(status_code=204)


@router.get("/amphorae")
@answered
async def amphorae(request: Request) -> Response:
    heard = await fleet.last_heard(bus_of(request))
    found = await database_of(request).read(lambda connection: fleet.amphorae(connection, heard))
    return rendered({"amphorae": found})


@router.get("/spares")
@answered
async def spares(request: Request) -> Response:
    return rendered({"spares": await database_of(request).read(fleet.spares)})


@router.get("/losses")
@answered
async def all_losses(request: Request) -> Response:
    return rendered(await losses.listed(bus_of(request), database_of(request)))


@router.post("/losses/release")
@answered
async def release_losses(request: Request) -> Response:
    await losses.release(request)
    return rendered(await losses.listed(bus_of(request), database_of(request)))


@router.get("/authority")
@answered
async def authority(request: Request) -> Response:
    return rendered({"authority": await authorities.shown(bus_of(request))})


@router.post("/authority/replacement")
@answered
async def replace_authority(request: Request) -> Response:
    await authorities.replace(request)
    return rendered({"authority": await authorities.shown(bus_of(request))}, status=202)


@router.post("/load-balancers/{load_balancer_id}/settle")  # noqa: FAST003 - as above
@answered
async def settle(request: Request) -> Response:
    await lifecycle.settle(request)
    return Response(status_code=204)


@router.post("/load-balancers/{load_balancer_id}/drills")  # noqa: FAST003 - as above
@answered
async def record_drill(request: Request) -> Response:
    await lifecycle.record_drill(request)
    return Response(status_code=204)


@router.get("/rollouts")
@answered
async def all_rollouts(request: Request) -> Response:
    return rendered({"rollouts": await database_of(request).read(rollouts.listed)})


@router.post("/rollouts")
@answered
async def start_rollout(request: Request) -> Response:
    return rendered({"rollout": await _rollout(request, await rollouts.start(request))}, status=201)


@router.get("/rollouts/{rollout_id}")  # noqa: FAST003 - as above
@answered
async def show_rollout(request: Request) -> Response:
    return rendered({"rollout": await _rollout(request, request.path_params["rollout_id"])})


@router.post("/rollouts/{rollout_id}/pause")  # noqa: FAST003 - as above
@answered
async def pause_rollout(request: Request) -> Response:
    await rollouts.pause(request)
    return rendered({"rollout": await _rollout(request, request.path_params["rollout_id"])})


@router.post("/rollouts/{rollout_id}/resume")  # noqa: FAST003 - as above
@answered
async def resume_rollout(request: Request) -> Response:
    await rollouts.resume(request)
    return rendered({"rollout": await _rollout(request, request.path_params["rollout_id"])})


@router.post("/rollouts/{rollout_id}/abort")  # noqa: FAST003 - as above
@answered
async def abort_rollout(request: Request) -> Response:
    await rollouts.abort(request)
    return rendered({"rollout": await _rollout(request, request.path_params["rollout_id"])})


async def _rollout(request: Request, rollout_id: str) -> dict[str, object]:
    return await database_of(request).read(lambda connection: rollouts.one(connection, rollout_id))


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


async def statuses_of(request: Request) -> list[service_statuses.ServiceStatus]:
    settings: ApiSettings = request.app.state.settings
    return await service_statuses.statuses(bus_of(request), absent=settings.absent_services)


def bus_of(request: Request) -> Bus:
    bus: Bus = request.app.state.bus
    return bus


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def relations_of(request: Request) -> Relations:
    """Give the process's one memory of relations, made by the first who needs it."""
    state = request.app.state
    if not hasattr(state, "relations"):
        state.relations = Relations()
    relations: Relations = state.relations
    return relations
