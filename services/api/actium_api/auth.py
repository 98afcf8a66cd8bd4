"""
Who calls. There is one way so far, `none`: everyone is an administrator, and says for which project he speaks.

Tokens are not looked at; another way (Keystone) becomes another function here.
"""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from actium_api.settings import ApiSettings
from actium_shared.message import Actor

PROJECT_HEADER = "x-project-id"
PROJECT_MOST = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A request's origin, and what it may."""

    user_id: str
    project_id: str
    request_id: str
    is_admin: bool

    @property
    def actor(self) -> Actor:
        return Actor(user_id=self.user_id, project_id=self.project_id, request_id=self.request_id)


def caller(request: HTTPConnection) -> Caller:
    """Give the caller of a request, by the way of `none`."""
    settings: ApiSettings = request.app.state.settings
    project_id = request.headers.get(PROJECT_HEADER, "")[:PROJECT_MOST] or settings.default_project_id
    return Caller(user_id="admin", project_id=project_id, request_id=request.scope["actium.request_id"], is_admin=True)
