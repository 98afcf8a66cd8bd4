"""What the world itself asks of the API: how each service does, what is there, and what drills need. All else is clients' to ask."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from actium_embedded import keys
from actium_embedded.errors import WorldError
from actium_embedded.world import World
from actium_shared.terminals import own_name

T = TypeVar("T")

TIMEOUT_S = 3.0
ANSWER_WITHIN_S = 25.0
"""A decision may take the API 20 s."""


class ServiceHealth(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    healthy: bool
    detail: str = ""
    lag: dict[str, int] = {}
    started_at: str | float | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer, as far as the demo looks."""

    name: str
    vip_address: str


class RefusedError(WorldError):
    """The API answers, and says no; the sentence is its own."""


class UnreachableError(WorldError):
    """The API does not answer, or not in words that we know."""


def services(world: World, *, timeout_s: float = TIMEOUT_S) -> dict[str, ServiceHealth]:
    """
    Ask for every service's health.

    Raises:
        UnreachableError: no answer, or not the expected one.
    """
    listed = _listed(world, "/operator/v1/services", "services", list[ServiceHealth], timeout_s=timeout_s)
    return {service.name: service for service in listed}


def load_balancers(world: World, name: str, *, timeout_s: float = TIMEOUT_S) -> list[Known]:
    """
    Ask for the load balancers of this name. The stock client could tell as well, but takes two seconds to begin.

    Raises:
        UnreachableError: no answer, or not the expected one.
    """
    path = f"/v2.0/lbaas/loadbalancers?name={quote(name)}"
    return _listed(world, path, "loadbalancers", list[Known], timeout_s=timeout_s)


def ask(world: World, method: str, path: str, body: object = None, *, timeout_s: float = ANSWER_WITHIN_S) -> Any:
    """
    Ask anything; give the answer's JSON, None where it has none.

    Raises:
        RefusedError: the API says no.
        UnreachableError: no answer, or none that can be read.
    """
    url = f"{world.api_url}{path}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=content, headers=_headers(world), method=method)  # noqa: S310
    try:
        with _opener().open(request, timeout=timeout_s) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as exc:
        raise RefusedError(_words(exc)) from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise UnreachableError(f"{url}: {exc}") from exc


def _words(refusal: urllib.error.HTTPError) -> str:
    """Give the API's own words, of tenants' paths or operators'."""
    try:
        content = json.loads(refusal.read())
        words = content.get("faultstring") or content.get("description") or content["error"]["detail"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        words = None
    return str(words or f"{refusal.url} answers {refusal.code}")


def _opener() -> urllib.request.OpenerDirector:
    """The machine's proxies are for the world outside; a handler of none keeps this on loopback."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _headers(world: World) -> dict[str, str]:
    """The key stands for a token where one is needed."""
    headers = {"Content-Type": "application/json", "X-Actium-Actor": own_name()}
    if world.choices.auth == "none":
        return headers
    return headers | {"X-Actium-Operator-Key": keys.operator_key(world).read_text()}


def _listed(world: World, path: str, key: str, kind: type[T], *, timeout_s: float) -> T:
    url = f"{world.api_url}{path}"
    try:
        request = urllib.request.Request(url, headers=_headers(world))  # noqa: S310
        with _opener().open(request, timeout=timeout_s) as answer:
            return msgspec.convert(json.load(answer)[key], kind)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise UnreachableError(f"{url}: {exc}") from exc
