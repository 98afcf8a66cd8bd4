"""What the world asks of the operator API: how each service does. All else is the operator command line's."""

import http.client
import json
import urllib.error
import urllib.request

import msgspec

from actium_embedded.world import World

TIMEOUT_S = 3.0


class ServiceHealth(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    healthy: bool
    detail: str = ""
    lag: dict[str, int] = {}
    started_at: str | float | None = None


class UnreachableError(Exception):
    """The operator API does not answer, or not in words that we know."""


def services(world: World, *, timeout_s: float = TIMEOUT_S) -> dict[str, ServiceHealth]:
    """
    Ask for every service's health.

    Raises:
        UnreachableError: no answer, or not the expected one.
    """
    url = f"{world.api_url}/operator/v1/services"
    # The machine's proxies are for the world outside; a handler of none keeps this on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            listed = msgspec.convert(json.load(answer)["services"], list[ServiceHealth])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise UnreachableError(f"{url}: {exc}") from exc
    return {service.name: service for service in listed}
