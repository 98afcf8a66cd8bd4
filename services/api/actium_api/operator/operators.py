"""Who operates, by name, and what is posted to the operator API."""

from dataclasses import replace
from typing import TypeVar

import msgspec
from starlette.requests import Request

from actium_api.access.callers import Caller, caller
from actium_api.operator.errors import OperatorError

ACTOR_HEADER = "x-actium-actor"
NAME_MOST = 64
BODY_MOST_BYTES = 64 * 1024
REASON_MOST = 1000

T = TypeVar("T")


def operator_of(request: Request) -> Caller:
    """Give the caller; one whom a key or nothing at all lets in says by himself which of several people he is."""
    found = caller(request)
    name = request.headers.get(ACTOR_HEADER, "").strip()[:NAME_MOST]
    if not name or not name.isprintable() or not found.identity.says_his_name:
        return found
    return replace(found, identity=replace(found.identity, user_id=f"{found.user_id} {name}"))


def good_reason(text: str) -> str:
    """
    Give a reason as it goes onto the log, for those who read it.

    Raises:
        OperatorError: it says nothing, or too much.
    """
    reason = text.strip()
    if not 0 < len(reason) <= REASON_MOST:
        raise OperatorError(400, f"must have 1 to {REASON_MOST} characters", field="reason")
    return reason


async def posted(request: Request, kind: type[T]) -> T:
    """
    Give the body, which no web page can have a browser post here: JSON would have to be allowed first.

    Raises:
        OperatorError: it is something else, too large, or not what is expected.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise OperatorError(415, f"the body must be application/json, not {content_type or 'of no type'}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MOST_BYTES:
            raise OperatorError(413, f"the body must not exceed {BODY_MOST_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise OperatorError(400, f"the body cannot be read: {exc}") from exc
