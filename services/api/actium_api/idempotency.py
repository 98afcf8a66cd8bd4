"""Ids of what a request makes: new ones or, where the client gives a key, the same for every request with that key."""

import msgspec
from starlette.requests import Request

from actium_api.access.callers import caller
from actium_api.faults import Fault
from actium_shared.ids import Ids, derived_id

HEADER = "idempotency-key"
KEY_MOST = 255


class KeyedIds:
    """The first, second and so on id of one key; keys of other projects, paths and parents have others."""

    def __init__(self, project_id: str, path: str, parent_id: str, key: str) -> None:
        self._scope = [project_id, path, parent_id, key]
        self._given = 0

    def new(self) -> str:
        self._given += 1
        return derived_id("idempotency-key", msgspec.json.encode([*self._scope, self._given]).decode())


def ids(request: Request, *, parent_id: str = "") -> Ids:
    """
    Give the request's source of ids for what is made in `parent_id`: an id is never that of something elsewhere.

    Raises:
        Fault: its key is empty or too long.
    """
    key = request.headers.get(HEADER)
    if key is None:
        found: Ids = request.app.state.ids
        return found
    if not 0 < len(key) <= KEY_MOST:
        raise Fault(400, f"The header Idempotency-Key must have 1 to {KEY_MOST} characters, and has {len(key)}.")
    return KeyedIds(caller(request).project_id, request.scope["path"], parent_id, key)
