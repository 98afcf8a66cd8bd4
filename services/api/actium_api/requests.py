"""From a request to its body: content type, size, JSON, wrapper. What stands in it is the schemas' business."""

from typing import Any

import msgspec
from starlette.requests import Request

from actium_api.faults import Fault, RouterFault
from actium_api.schemas.fields import TRUE
from actium_api.settings import ApiSettings


def says_yes(request: Request, parameter: str) -> bool:
    """Say whether a query parameter is true, in any of the words for it; anything else is no."""
    return request.query_params.get(parameter, "").lower() in TRUE


async def wrapped(request: Request, wrapper: str) -> Any:
    """
    Give what the body's one key holds.

    Raises:
        Fault: wrong content type, no JSON, or another key.
        RouterFault: it is too large.
    """
    found = await document(request, form=f'{{"{wrapper}": ...}}')
    if not isinstance(found, dict) or wrapper not in found:
        raise Fault(400, f"The body must hold the key '{wrapper}'.")
    others = sorted(found.keys() - {wrapper})
    if others:
        raise Fault(400, f"Unknown attribute for argument body: {others[0]}; the one key must be '{wrapper}'.")
    return found[wrapper]


async def document(request: Request, *, form: str = "{...}") -> Any:
    """
    Give the body's JSON, whatever it is; `form` tells what was expected where there is none.

    Raises:
        Fault: wrong content type, or no JSON.
        RouterFault: it is too large.
    """
    body = await _bytes(request)
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Fault(415, f"The body must be application/json, and is {content_type}.")
    if not body.strip():
        raise Fault(400, f"The body is missing: it must be JSON of the form {form}.")
    try:
        return msgspec.json.decode(body)
    except RecursionError as exc:
        raise Fault(400, "The body is nested too deeply.") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise Fault(400, f"The body is not valid JSON: {exc}.") from exc


async def _bytes(request: Request) -> bytes:
    settings: ApiSettings = request.app.state.settings
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > settings.max_body_bytes:
            most = settings.max_body_bytes
            raise RouterFault(413, "Request Entity Too Large", f"The body must not exceed {most} bytes.")
    return bytes(body)
