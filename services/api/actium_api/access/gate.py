"""Lets a request in, or not: who calls is found out here, before any route. Some paths are open to everyone."""

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from actium_api import paths
from actium_api.access.callers import Authenticator, Caller, IdentityUnavailableError, UnknownCallerError
from actium_api.access.policy import Policy
from actium_api.access.rules import OPERATOR
from actium_api.faults import Fault, fault_response, json_response
from actium_api.operator.errors import OperatorError, error_response

OPEN_PATHS = frozenset(("/", paths.HEALTHCHECK, paths.OPENAPI))
OPERATOR_PATHS = "/operator/"
RETRY_AFTER_S = 1
UNAUTHENTICATED = {
    "error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}
}
"""As the identity service itself says it: clients know this shape."""


async def admit(scope: Scope) -> Response | None:
    """Find out who calls and note it in the scope; give the reply where he is not let in."""
    if scope["path"] in OPEN_PATHS:
        return None
    authenticator: Authenticator = scope["app"].state.authenticator
    try:
        identity = await authenticator.identify(HTTPConnection(scope))
    except UnknownCallerError:
        challenge = authenticator.challenge()
        headers = {"WWW-Authenticate": challenge} if challenge else None
        return json_response(UNAUTHENTICATED, status=401, headers=headers)
    except IdentityUnavailableError as exc:
        response = fault_response(Fault(503, str(exc)))
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response
    policy: Policy = scope["app"].state.policy
    if scope["path"].startswith(OPERATOR_PATHS) and not policy.allows(identity, OPERATOR, None):
        return error_response(OperatorError(403, f"policy does not allow this request: {OPERATOR}"))
    scope["actium.caller"] = Caller(identity=identity, request_id=scope["actium.request_id"])
    return None
