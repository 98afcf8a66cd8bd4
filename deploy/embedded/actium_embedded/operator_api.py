"""What the world itself asks of the API: how each service does, and what is there. All else is its clients' to ask."""

import http.client
import json
import urllib.error
import urllib.request
from typing import TypeVar
from urllib.parse import quote

import msgspec

from actium_embedded import keys
from actium_embedded.errors import WorldError
from actium_embedded.world import World

T = TypeVar("T")

TIMEOUT_S = 3.0


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


def _headers(world: World) -> dict[str, str]:
    """The key stands for a token where one is needed."""
    if world.choices.auth == "none":
        return {}
    return {"X-Actium-Operator-Key": keys.operator_key(world).read_text()}


def _listed(world: World, path: str, key: str, kind: type[T], *, timeout_s: float) -> T:
    url = f"{world.api_url}{path}"
    # The machine's proxies are for the world outside; a handler of none keeps this on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=_headers(world)), timeout=timeout_s) as answer:  # noqa: S310
            return msgspec.convert(json.load(answer)[key], kind)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise UnreachableError(f"{url}: {exc}") from exc
