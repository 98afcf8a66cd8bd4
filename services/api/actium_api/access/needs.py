"""Which action each request needs: one table. Where it is demanded is in `demands`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from starlette.requests import Request

from actium_api.access.rules import DRIVER, PREFIX
from actium_api.requests import says_yes


class By(Enum):
    """Whose thing it is, and so when the policy can be asked."""

    ANYONE = auto()
    """Whoever was let in."""
    SITE = auto()
    """No project's: first of all, before it is known whether the thing exists."""
    PATH = auto()
    """The project in the path's: first of all."""
    ROW = auto()
    """That of the row that is found, or of the parent that is named: 404 comes before 403."""
    LIST = auto()
    """Many projects'; the list shows what the caller may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a request needs: all of these actions; of a list the second is for all projects."""

    by: By
    actions: tuple[str, ...] = ()
    of_request: Callable[[Request], tuple[str, ...]] | None = None
    """Where the actions depend on more than path and method."""


UNLISTED = Need(by=By.SITE, actions=(f"{PREFIX}amphora:get_all",))
"""A path that the table below lacks is for administrators."""


def need_of(path: str, method: str) -> Need:
    """Give what a method of a route's path needs; the names of its parameters do not matter."""
    return NEEDS.get((_shape(path), method), UNLISTED)


def _shape(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _batch(request: Request) -> tuple[str, ...]:
    """Give what a batch of members needs: nothing is deleted by one that only adds."""
    names = ("member:post", "member:put", "member:delete")
    return tuple(PREFIX + name for name in (names[:2] if says_yes(request, "additive_only") else names))


def _need(by: By, *actions: str) -> Need:
    return Need(by=by, actions=tuple(PREFIX + action for action in actions))


def _items(path: str, resource: str, by: By) -> dict[tuple[str, str], Need]:
    methods = {"GET": "get_one", "PUT": "put", "DELETE": "delete"}
    return {(f"{path}/{{}}", method): _need(by, f"{resource}:{action}") for method, action in methods.items()}


def _tenants(path: str, resource: str) -> dict[tuple[str, str], Need]:
    return {
        (path, "GET"): _need(By.LIST, f"{resource}:get_all", f"{resource}:get_all-global"),
        (path, "POST"): _need(By.ROW, f"{resource}:post"),
        **_items(path, resource, By.ROW),
    }


def _below(path: str, resource: str) -> dict[tuple[str, str], Need]:
    return {
        (path, "GET"): _need(By.ROW, f"{resource}:get_all"),
        (path, "POST"): _need(By.ROW, f"{resource}:post"),
        **_items(path, resource, By.ROW),
    }


def _sites(path: str, resource: str) -> dict[tuple[str, str], Need]:
    return {
        (path, "GET"): _need(By.SITE, f"{resource}:get_all"),
        (path, "POST"): _need(By.SITE, f"{resource}:post"),
        **_items(path, resource, By.SITE),
    }


NEEDS: Mapping[tuple[str, str], Need] = {
    ("/", "GET"): _need(By.ANYONE),
    ("/v2", "GET"): _need(By.ANYONE),
    ("/openapi.json", "GET"): _need(By.ANYONE),
    ("/healthcheck", "GET"): _need(By.ANYONE),
    ("/healthcheck", "HEAD"): _need(By.ANYONE),
    ("/v1/commands", "POST"): Need(by=By.SITE, actions=(DRIVER,)),
    ("/v1/commands/schema", "GET"): Need(by=By.SITE, actions=(DRIVER,)),
    **_tenants("/v2/loadbalancers", "loadbalancer"),
    ("/v2/loadbalancers/{}/stats", "GET"): _need(By.ROW, "loadbalancer:get_stats"),
    ("/v2/loadbalancers/{}/status", "GET"): _need(By.ROW, "loadbalancer:get_status"),
    ("/v2/loadbalancers/{}/statuses", "GET"): _need(By.ROW, "loadbalancer:get_status"),
    ("/v2/loadbalancers/{}/failover", "PUT"): _need(By.ROW, "loadbalancer:put_failover"),
    **_tenants("/v2/listeners", "listener"),
    ("/v2/listeners/{}/stats", "GET"): _need(By.ROW, "listener:get_stats"),
    **_tenants("/v2/pools", "pool"),
    **_below("/v2/pools/{}/members", "member"),
    ("/v2/pools/{}/members", "PUT"): Need(by=By.ROW, of_request=_batch),
    **_tenants("/v2/healthmonitors", "healthmonitor"),
    **_tenants("/v2/l7policies", "l7policy"),
    **_below("/v2/l7policies/{}/rules", "l7rule"),
    ("/v2/quotas", "GET"): _need(By.LIST, "quota:get_all", "quota:get_all-global"),
    **_items("/v2/quotas", "quota", By.PATH),
    ("/v2/quotas/{}/default", "GET"): _need(By.PATH, "quota:get_defaults"),
    # Upstream reads this as the quota of a project called so, and refuses it to tenants; its clients ask for it.
    ("/v2/quotas/defaults", "GET"): _need(By.SITE, "quota:get_defaults"),
    ("/v2/providers", "GET"): _need(By.SITE, "provider:get_all"),
    ("/v2/providers/{}/flavor_capabilities", "GET"): _need(By.SITE, "provider-flavor:get_all"),
    ("/v2/providers/{}/availability_zone_capabilities", "GET"): _need(By.SITE, "provider-availability-zone:get_all"),
    **_sites("/v2/flavors", "flavor"),
    **_sites("/v2/flavorprofiles", "flavor-profile"),
    **_sites("/v2/availabilityzones", "availability-zone"),
    **_sites("/v2/availabilityzoneprofiles", "availability-zone-profile"),
    ("/v2/octavia/amphorae", "GET"): _need(By.SITE, "amphora:get_all"),
    ("/v2/octavia/amphorae/{}", "GET"): _need(By.ROW, "amphora:get_one"),
    ("/v2/octavia/amphorae/{}", "DELETE"): _need(By.SITE, "amphora:delete"),
    ("/v2/octavia/amphorae/{}/stats", "GET"): _need(By.ROW, "amphora:get_stats"),
    ("/v2/octavia/amphorae/{}/config", "PUT"): _need(By.SITE, "amphora:put_config"),
    ("/v2/octavia/amphorae/{}/failover", "PUT"): _need(By.SITE, "amphora:put_failover"),
}
