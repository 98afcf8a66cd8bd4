"""The operator API as the command line uses it: what goes wrong becomes one sentence for a person."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from actium_shared.terminals import own_name

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 65.0
"""A little longer than the server allows itself."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

Query = Mapping[str, str | list[str]]


class CliError(Exception):
    """Ends the command with this sentence and exit code 1."""


class OperatorApi:
    """One operator API, with the operator's key where it asks for one. Loopback is never asked through a proxy."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        try:
            self.is_local = urlsplit(self.url).hostname in LOOPBACK
            timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
            headers = {"X-Actium-Actor": own_name()} | ({} if key is None else {"X-Actium-Operator-Key": key})
            self._client = httpx.Client(
                base_url=self.url, trust_env=not self.is_local, timeout=timeout, headers=headers
            )
        except (ValueError, httpx.InvalidURL) as exc:
            raise CliError(f"{url!r} is no address of an operator API; one is like http://127.0.0.1:9876") from exc

    def get(self, path: str, query: Query | None = None) -> Any:
        """
        Give the answer's JSON.

        Raises:
            CliError: no answer, or a refusal; the sentence says which.
        """
        try:
            answer = self._client.get(path, params=dict(query or {}))
        except httpx.HTTPError as exc:
            raise self.unreachable(exc) from exc
        return self._checked(answer)

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, query: Query | None = None) -> Any:
        """
        Have something changed and give the answer's JSON, None where it has none.

        Raises:
            CliError: as `get`. Without an answer it may have happened or not.
        """
        try:
            answer = self._client.request(method, path, json=body, params=dict(query or {}))
        except httpx.HTTPError as exc:
            raise self.unreachable(exc) from exc
        return None if answer.status_code == httpx.codes.NO_CONTENT else self._checked(answer)

    def find_load_balancer(self, wanted: str) -> str:
        """Give the id of the load balancer that is meant by an id or a name; names are the tenant API's to know."""
        if _is_id(wanted):
            return wanted
        found = self.get("/v2.0/lbaas/loadbalancers", {"name": wanted, "fields": ["id"]})["loadbalancers"]
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            ids = ", ".join(one["id"] for one in found)
            raise CliError(f"{len(found)} load balancers are called {wanted!r}: {ids}. Say which by its id.")
        raise CliError(f"No load balancer is called {wanted!r}. One that was deleted is found by its id only.")

    def stream(self, path: str, query: Query) -> AbstractContextManager[httpx.Response]:
        """Open an answer that may never end."""
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, read=None)
        return self._client.stream("GET", path, params=dict(query), timeout=timeout)

    def _checked(self, answer: httpx.Response) -> Any:
        if not answer.is_success:
            raise CliError(refusal(answer))
        try:
            return answer.json()
        except ValueError as exc:
            raise CliError(f"{answer.url} does not answer in JSON: is it Actium?") from exc

    def unreachable(self, exc: httpx.HTTPError) -> CliError:
        """Say in a sentence why there is no answer."""
        if isinstance(exc, httpx.HTTPStatusError):
            return CliError(refusal(exc.response))
        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
            return CliError(
                f"Nothing answers at {self.url}: start Actium with `./actium up`, or set ACTIUM_OPERATOR_URL."
            )
        return CliError(f"{self.url} did not answer in full ({type(exc).__name__}).")


def refusal(answer: httpx.Response) -> str:
    """Say why an answer is a refusal, in its own words where it has some."""
    try:
        content = answer.json()
    except ValueError:
        content = None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return f"{answer.url.copy_with(query=None)} wants to know who asks: set ACTIUM_OPERATOR_KEY_FILE"
    if isinstance(content, dict):
        error = content.get("error")
        if isinstance(error, dict) and error.get("detail"):
            return f"{error['field']}: {error['detail']}" if error.get("field") else str(error["detail"])
        if content.get("faultstring"):
            return str(content["faultstring"])
    return f"{answer.url} answers {answer.status_code}: is it Actium?"


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
