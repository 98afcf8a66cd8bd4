"""
Keystone's tokens: a request's token is shown to Keystone by our service user, and the answer remembered for a while.

keystoneauth does the asking (and logs the service user in again when need be); it blocks, so it works in threads. A
token is never logged nor kept: what is remembered goes by its digest.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import msgspec
from keystoneauth1 import exceptions
from keystoneauth1.adapter import Adapter
from starlette.requests import HTTPConnection

from actium_api.access.callers import TOKEN_HEADER, Identity, IdentityUnavailableError, UnknownCallerError
from actium_api.access.lru import Lru
from actium_shared.clock import Clock

log = logging.getLogger(__name__)

TOKEN_LONGEST = 8192

THREADS = 8
"""So many tokens are shown at once; others wait for a thread."""

ASK_TIMEOUT_S = 10.0
"""Of one token, the wait for a thread and a new login of the service user included."""

ANSWER_TIMEOUT_S = 4.0
"""Of each of Keystone's answers."""

REFUSED_KEPT_S = 10.0
"""A client that goes on with a bad token is not asked about each time."""

REST_S = 1.0
"""After a failure Keystone is left alone so long: requests are answered at once then, not after a timeout each."""

DOWN = "The identity service cannot be asked who you are at the moment; try again soon."


class _Named(msgspec.Struct, frozen=True):
    id: str
    name: str = ""


class _Project(msgspec.Struct, frozen=True):
    id: str
    domain: _Named


class _User(msgspec.Struct, frozen=True):
    id: str
    domain: _Named


class Token(msgspec.Struct, frozen=True):
    """What Keystone says of a token, as far as we look."""

    user: _User
    expires_at: datetime
    roles: tuple[_Named, ...] = ()
    project: _Project | None = None
    domain: _Named | None = None
    system: dict[str, Any] | None = None

    def identity(self) -> Identity:
        more = {"user_domain_id": self.user.domain.id}
        if self.project is not None:
            more["project_domain_id"] = self.project.domain.id
        if self.domain is not None:
            more["domain_id"] = self.domain.id
        if self.system is not None and self.system.get("all"):
            more["system_scope"] = "all"
        return Identity(
            user_id=self.user.id,
            project_id=self.project.id if self.project is not None else "",
            roles=frozenset(role.name for role in self.roles),
            more=more,
        )


class _Answer(msgspec.Struct, frozen=True):
    token: Token


class Tokens(Protocol):
    """Whoever knows tokens."""

    def show(self, token: str) -> Token | None:
        """
        Give what a token is, None where it is not good. Blocks.

        Raises:
            IdentityUnavailableError: it cannot be told now.
        """
        ...


class KeystoneTokens:
    """Keystone, asked as our service user."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def show(self, token: str) -> Token | None:
        try:
            answer = self._adapter.get(
                "/auth/tokens?nocatalog",
                headers={"X-Subject-Token": token},
                authenticated=True,
                raise_exc=False,
                log=False,
            )
        except exceptions.ClientException as exc:
            raise _unavailable(f"{type(exc).__name__}: {exc}") from exc
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise _unavailable(f"it answers {answer.status_code} to our service user")
        try:
            return msgspec.json.decode(answer.content, type=_Answer).token
        except msgspec.DecodeError as exc:
            raise _unavailable(f"its answer cannot be understood: {exc}") from exc


def _unavailable(why: str) -> IdentityUnavailableError:
    log.warning("keystone cannot be asked", extra={"why": why})
    return IdentityUnavailableError(DOWN)


class Keystone:
    """The authenticator: remembers answers, asks once for many requests with the same token."""

    def __init__(self, tokens: Tokens, *, clock: Clock, uri: str, kept_s: float, kept_count: int) -> None:
        self._tokens, self._clock, self._uri = tokens, clock, uri
        self._kept = timedelta(seconds=kept_s)
        self._good: Lru[bytes, tuple[datetime, Identity]] = Lru(kept_count)
        self._bad: Lru[bytes, datetime] = Lru(kept_count)
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}
        self._rest_until = datetime.min.replace(tzinfo=UTC)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keystone")

    def challenge(self) -> str | None:
        return f'Keystone uri="{self._uri}"'

    async def identify(self, request: HTTPConnection) -> Identity:
        token = request.headers.get(TOKEN_HEADER, "")
        if not token or len(token) > TOKEN_LONGEST or not token.isascii() or not token.isprintable():
            raise UnknownCallerError
        digest, now = sha256(token.encode()).digest(), self._clock.now()
        if (known := self._good.get(digest)) and now < known[0]:
            return known[1]
        if (until := self._bad.get(digest)) and now < until:
            raise UnknownCallerError
        if now < self._rest_until:
            raise IdentityUnavailableError(DOWN)
        # Not ended by a client that leaves: others may wait for the same.
        return await asyncio.shield(self._asked(digest, token))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _asked(self, digest: bytes, token: str) -> "asyncio.Task[Identity]":
        task = self._asking.get(digest)
        if task is None:
            task = self._asking[digest] = asyncio.create_task(self._ask(digest, token))
            task.add_done_callback(lambda done: self._answered(digest, done))
        return task

    def _answered(self, digest: bytes, task: "asyncio.Task[Identity]") -> None:
        del self._asking[digest]
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more

    async def _ask(self, digest: bytes, token: str) -> Identity:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                found = await loop.run_in_executor(self._threads, self._tokens.show, token)
        except (IdentityUnavailableError, TimeoutError) as exc:
            self._rest_until = self._clock.now() + timedelta(seconds=REST_S)
            raise IdentityUnavailableError(DOWN) from exc
        now = self._clock.now()
        if found is None or found.expires_at <= now:
            self._bad.put(digest, now + timedelta(seconds=REFUSED_KEPT_S))
            raise UnknownCallerError
        identity = found.identity()
        self._good.put(digest, (min(now + self._kept, found.expires_at), identity))
        return identity
