"""Errors as replies: upstream's two kinds of body, and the one table from a refusal's reason to a status code."""

from collections.abc import Mapping
from typing import NoReturn

import msgspec
from starlette.responses import Response

from actium_shared.message import Reason, Rejected

STATUS_OF: Mapping[Reason, int] = {
    Reason.INVALID: 400,
    Reason.QUOTA: 403,
    Reason.NOT_FOUND: 404,
    Reason.CONFLICT: 409,
    Reason.IMMUTABLE: 409,
    Reason.UNSUPPORTED: 501,
    Reason.UNAVAILABLE: 503,
}


class Fault(Exception):  # noqa: N818
    """A handler's refusal: `{"faultcode", "faultstring", "debuginfo"}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class RouterFault(Exception):  # noqa: N818
    """A refusal from before any handler: `{"code", "title", "description"}`."""

    def __init__(self, status: int, title: str, description: str) -> None:
        super().__init__(description)
        self.status, self.title, self.description = status, title, description


def refuse(rejected: Rejected) -> NoReturn:
    """Turn a service's refusal into the reply."""
    raise Fault(STATUS_OF[rejected.reason], rejected.detail)


def invalid(field: str, value: object, why: str) -> Fault:
    """Give the refusal of one field's value."""
    shown = f"{value!s:.120}"
    return Fault(400, f"Invalid input for field/attribute {field}. Value: '{shown}'. {why}")


def unsupported(what: str, *, provider: str = "actium") -> Fault:
    """Give the refusal of what is valid but cannot be done (yet)."""
    return Fault(
        501, f"Provider '{provider}' does not support a requested option: {what} not supported by provider {provider}"
    )


def not_found(kind: str, resource_id: str) -> Fault:
    return Fault(404, f"{kind} {resource_id} not found.")


def fault_response(fault: Fault) -> Response:
    code = "Server" if fault.status >= 500 else "Client"
    return json_response({"faultcode": code, "faultstring": fault.message, "debuginfo": None}, status=fault.status)


def router_response(fault: RouterFault, headers: Mapping[str, str] | None = None) -> Response:
    body = {"code": fault.status, "title": fault.title, "description": fault.description}
    return json_response(body, status=fault.status, headers=headers)


def json_response(document: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return raw_response(msgspec.json.encode(document), status=status, headers=headers)


def raw_response(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status_code=status, headers=headers, media_type="application/json")
