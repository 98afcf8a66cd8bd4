"""One object of a load balancer as octavia-lib's data model, in a dict that its own class can be made of. Pure."""

from collections.abc import Iterator
from typing import Any

from octavia_lib.api.drivers.data_models import BaseDataModel

from actium_api.drivers import vendor_models as convert
from actium_shared.wishes import LoadBalancerWish


def find(tree: LoadBalancerWish, kind: str, object_id: str) -> dict[str, Any]:
    """Give the object with all that is in it, or an empty dict where there is none."""
    for found_id, model in _of_kind(tree, kind):
        if found_id == object_id:
            return dict(model.to_dict(recurse=True, render_unsets=True))
    return {}


def _of_kind(tree: LoadBalancerWish, kind: str) -> Iterator[tuple[str, BaseDataModel]]:
    project_id = tree.load_balancer.project_id
    match kind:
        case "loadbalancer":
            yield tree.load_balancer.id, convert.load_balancer(tree)
        case "listener":
            yield from ((each.id, convert.listener(each, tree)) for each in tree.listeners)
        case "pool":
            yield from ((each.pool.id, convert.pool_with_all(each, tree)) for each in tree.pools)
        case "member":
            for pool in tree.pools:
                yield from ((each.id, convert.member(each, pool.pool.id, project_id)) for each in pool.members)
        case "healthmonitor":
            for pool in tree.pools:
                if pool.health_monitor is not None:
                    yield pool.health_monitor.id, convert.health_monitor(pool.health_monitor, pool.pool.id, project_id)
        case "l7policy":
            yield from ((each.policy.id, convert.l7_policy(each, tree)) for each in tree.l7_policies)
        case "l7rule":
            for policy in tree.l7_policies:
                yield from ((each.id, convert.l7_rule(each, policy.policy, project_id)) for each in policy.rules)
