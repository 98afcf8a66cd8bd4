"""
The web application: routes, and what is the same for every request.

Each request has an id (answered as `x-openstack-request-id`, and carried by logs and messages as correlation id), each
path one spelling, each error upstream's shape.
"""

import logging
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actium_api import facade, operator, paths, request_ids
from actium_api.access import gate
from actium_api.access.callers import Authenticator, Everyone
from actium_api.access.policy import EverythingGoes, Policy
from actium_api.faults import Fault, RouterFault, fault_response, router_response
from actium_api.request_ids import REQUEST_ID, REQUEST_ID_BYTES
from actium_api.routes import (
    amphorae,
    availability_zone_profiles,
    availability_zones,
    commands,
    discovery,
    flavor_profiles,
    flavors,
    health_monitors,
    l7_policies,
    l7_rules,
    listeners,
    load_balancers,
    members,
    openapi,
    pools,
    providers,
    quotas,
)
from actium_api.routes.base import MethodFault
from actium_shared import telemetry
from actium_shared.errors import BrokenStoreError

if TYPE_CHECKING:
    from actium_api.access.tenant_secrets import TenantSecrets

log = logging.getLogger(__name__)

RESOURCES = (
    load_balancers,
    listeners,
    members,
    pools,
    health_monitors,
    l7_rules,
    l7_policies,
    amphorae,
    providers,
    quotas,
    flavors,
    flavor_profiles,
    availability_zones,
    availability_zone_profiles,
    discovery,
    openapi,
    commands,
)
TITLES = {404: "Not Found", 405: "Method Not Allowed"}
METHODS = "GET, POST, PUT, DELETE, OPTIONS"
NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False)
"""FastAPI's own: a span for every read would cost a quarter of it. `Frame` makes ours."""


def application(
    *,
    with_facade: bool,
    authenticator: Authenticator | None = None,
    policy: Policy | None = None,
    tenant_secrets: "TenantSecrets | None" = None,
) -> FastAPI:
    """
    Give the application; what else it needs stands in its `state`, put there by `main`.

    Without an authenticator everyone is let in as an administrator, and without `tenant_secrets` only compute judges secrets.
    """
    app = FastAPI(
        title="Actium", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY
    )
    for resource in RESOURCES:
        app.router.routes.extend(resource.ROUTES)
    app.include_router(operator.router)
    if with_facade:
        app.include_router(facade.network)
        if authenticator is None:
            app.include_router(facade.identity)
    app.add_exception_handler(Fault, _fault)
    app.add_exception_handler(RouterFault, _router_fault)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Frame)
    app.state.authenticator = authenticator or Everyone()
    app.state.policy = policy or EverythingGoes()
    app.state.tenant_secrets = tenant_secrets
    return app


async def _fault(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, Fault)
    return fault_response(exc)


async def _router_fault(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RouterFault)
    return router_response(exc, exc.headers if isinstance(exc, MethodFault) else None)


async def _http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    if paths.canonical(request.scope["actium.path"]) is None and not _is_ours(request.scope["actium.path"]):
        return await http_exception_handler(request, exc)
    title = TITLES.get(exc.status_code, "Error")
    return router_response(RouterFault(exc.status_code, title, str(exc.detail)), exc.headers)


def _is_ours(path: str) -> bool:
    return not path.startswith(("/operator", "/identity", "/network"))


async def _unexpected(request: Request, exc: Exception) -> Response:
    log.error("request failed", exc_info=exc, extra={"method": request.method, "path": request.url.path})
    if isinstance(exc, BrokenStoreError):
        request.app.state.bus.fail(exc)  # the next start makes the read model good
    request_id = request.scope["actium.request_id"]
    response = fault_response(Fault(500, f"Something went wrong here; request {request_id} is in the log."))
    response.headers[REQUEST_ID] = request_id  # this reply is made outside of the frame
    return response


GLOBAL_REQUEST_ID = re.compile(rb"req-[0-9A-Za-z-]{1,64}")
"""Anything else that a client sends there does not get into our log."""


class Frame:
    """What happens around every request: id, path, acceptable content, methods that no resource has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_ids.new()
        scope["actium.request_id"] = request_id
        scope["actium.path"] = scope["path"]
        name = request_id.encode()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).append((REQUEST_ID_BYTES, name))
            await send(message)

        token = telemetry.correlation_id.set(request_id)
        _note_origin(scope)
        try:
            with _traced(scope):
                await (_early(scope) or await gate.admit(scope) or self._app)(scope, receive, answer)
        finally:
            telemetry.correlation_id.reset(token)


def _note_origin(scope: Scope) -> None:
    """Log which request of another service this one serves, so that both logs can be laid side by side."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_BYTES and GLOBAL_REQUEST_ID.fullmatch(value):
            about = {"method": scope["method"], "path": scope["path"], "global_request_id": value.decode()}
            log.info("request on behalf of another", extra=about)


def _traced(scope: Scope) -> AbstractContextManager[None]:
    """Put a write into a span: it sets off messages. Reads are many and go no further than the read model."""
    if scope["method"] == "GET":
        return nullcontext()
    headers = Headers(scope=scope)
    return telemetry.span(
        f"http {scope['method']}", traceparent=headers.get("traceparent"), attributes={"url.path": scope["path"]}
    )


def _early(scope: Scope) -> Response | None:
    """Give the reply of a request that needs no resource, after bringing its path into shape."""
    if scope["path"] == paths.MOUNT:
        return RedirectResponse(f"{paths.MOUNT}/", status_code=302)
    path = paths.canonical(scope["path"])
    if path is None:
        return None
    scope["path"] = path
    if scope["method"] == "OPTIONS":
        return Response(status_code=200, headers={"Allow": METHODS})
    if path == paths.HEALTHCHECK:
        return None
    if path not in ("/", paths.ROOT, paths.OPENAPI) and not scope["app"].state.caught_up.is_set():
        return fault_response(Fault(503, "This API has just started and is still reading the log; try again soon."))
    accept = Headers(scope=scope).get("accept")
    if accept and not _takes_json(accept):
        return router_response(RouterFault(406, "Not Acceptable", f"Replies are application/json, not {accept}."))
    return None


def _takes_json(accept: str) -> bool:
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        refused = any(parameter.replace(" ", "") in ("q=0", "q=0.0") for parameter in parameters)
        if kind.lower() in ("application/json", "application/*", "*/*") and not refused:
            return True
    return False
