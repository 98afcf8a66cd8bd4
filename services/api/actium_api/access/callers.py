"""
Who calls: found out once for every request, before any route sees it.

There are two ways: `none` here (everyone is an administrator, and says for which project he speaks), and Keystone's
tokens in `keystone`. What a caller may is `policy`'s to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import HTTPConnection

from actium_api.access.lru import Lru
from actium_api.settings import ApiSettings
from actium_shared.message import Actor

PROJECT_HEADER = "x-project-id"
TOKEN_HEADER = "x-auth-token"  # noqa: S105 - the header's name
PROJECT_MOST = 36
PROJECTS_KEPT = 1000
ADMINISTRATOR = frozenset(("admin",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody, as far as he has proved it. One object per token, shared by all requests that carry it."""

    user_id: str
    project_id: str
    """Empty where the token is for no project."""

    roles: frozenset[str]
    more: Mapping[str, str] = field(default_factory=dict)
    """What else policies may ask for: domains, the scope of a token for the whole system."""

    says_his_name: bool = False
    """Several people come in this way, and nothing proves which: who operates tells by which name he shall be recorded."""

    known_as: tuple[object, ...] = field(init=False, compare=False, repr=False)
    """All of it that a policy looks at, as a key: the same for every token of the same person and scope."""

    def __post_init__(self) -> None:
        key = (self.user_id, self.project_id, self.roles, *sorted(self.more.items()))
        object.__setattr__(self, "known_as", key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A request's origin."""

    identity: Identity
    request_id: str

    @property
    def user_id(self) -> str:
        return self.identity.user_id

    @property
    def project_id(self) -> str:
        return self.identity.project_id

    @property
    def actor(self) -> Actor:
        return Actor(user_id=self.user_id, project_id=self.project_id, request_id=self.request_id)


class UnknownCallerError(Exception):
    """The request proves nobody: no token, or one that is not good (any more)."""


class IdentityUnavailableError(Exception):
    """Nobody can say now whose token that is; the message says why, in words for the client."""


class Authenticator(Protocol):
    """A way to find out who calls."""

    async def identify(self, request: HTTPConnection) -> Identity:
        """
        Give the one whose request this is, by its headers.

        Raises:
            UnknownCallerError: nobody that we know.
            IdentityUnavailableError: it cannot be found out now.
        """
        ...

    def challenge(self) -> str | None:
        """Give the value of `WWW-Authenticate` that goes with 401."""
        ...

    async def close(self) -> None:
        """Give up what is under way."""
        ...


class Everyone:
    """The way of `none`."""

    def __init__(self) -> None:
        self._known: Lru[str, Identity] = Lru(PROJECTS_KEPT)

    async def identify(self, request: HTTPConnection) -> Identity:
        settings: ApiSettings = request.app.state.settings
        project_id = request.headers.get(PROJECT_HEADER, "")[:PROJECT_MOST] or settings.default_project_id
        identity = self._known.get(project_id)
        if identity is None:
            identity = Identity(user_id="admin", project_id=project_id, roles=ADMINISTRATOR, says_his_name=True)
            self._known.put(project_id, identity)
        return identity

    def challenge(self) -> str | None:
        return None

    async def close(self) -> None:
        """There is nothing to give up."""


def caller(request: HTTPConnection) -> Caller:
    """Give the caller of a request, as `Frame` found him out."""
    found: Caller = request.scope["actium.caller"]
    return found
