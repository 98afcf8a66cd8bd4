"""Load balancers as clients send them, alone or with their whole tree."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from actium_api.faults import Fault, invalid
from actium_api.schemas import l7_policy, listener, pool, tls
from actium_api.schemas.fields import Address, Body, Create, Flag, ProjectName, Tags, Text, Uuid, Uuids, changes
from actium_api.schemas.l7_policy import NestedL7Policy
from actium_api.schemas.listener import NestedListener
from actium_api.schemas.pool import NestedPool
from actium_api.settings import ApiSettings
from actium_shared.commands.planner import LoadBalancerChanges
from actium_shared.ids import Ids, PoolId
from actium_shared.provider_options import PROVIDERS
from actium_shared.wishes import L7PolicyWish, Listener, PoolWish

VIP_SOURCES = ("vip_port_id", "vip_network_id", "vip_subnet_id")
"""Where the address can come from, the first one that is sent counts."""


class AdditionalVip(Create):
    subnet_id: Uuid
    ip_address: Address | None = None
    port_id: Uuid | None = None


class LoadBalancerPost(Create):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {"admin_state_up": False, "flavor_id": "", "availability_zone": ""}

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None
    vip_address: Address | None = None
    vip_port_id: Uuid | None = None
    vip_subnet_id: Uuid | None = None
    vip_network_id: Uuid | None = None
    vip_sg_ids: Uuids = ()
    additional_vips: tuple[AdditionalVip, ...] = ()
    listeners: tuple[NestedListener, ...] = ()
    pools: tuple[NestedPool, ...] = ()
    provider: Text | None = None
    flavor_id: Uuid | None = None
    vip_qos_policy_id: Uuid | None = None
    tags: Tags = ()
    availability_zone: Text | None = None


class LoadBalancerPut(Body):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {
        "name": "",
        "description": "",
        "admin_state_up": False,
        "vip_sg_ids": (),
        "tags": (),
    }

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    vip_sg_ids: Uuids = ()
    vip_qos_policy_id: Uuid | None = None
    tags: Tags = ()

    def changes(self) -> LoadBalancerChanges:
        """Give what shall change."""
        return LoadBalancerChanges(**changes(self, {}))


def check(body: LoadBalancerPost, settings: ApiSettings, *, providers: Collection[str] = PROVIDERS) -> None:
    """
    Refuse what is invalid by itself; `providers` are those that are enabled.

    Raises:
        Fault: 400.
    """
    _check_vip(body, settings)
    if body.provider is not None and body.provider not in providers:
        raise Fault(400, f"Provider '{body.provider}' is not enabled: provider must be one of {', '.join(providers)}.")
    if body.availability_zone == "":
        raise invalid("availability_zone", body.availability_zone, "It must be a zone's name, or not be sent.")


def _check_vip(body: LoadBalancerPost, settings: ApiSettings) -> None:
    sent = [name for name in VIP_SOURCES if getattr(body, name) is not None]
    if not sent:
        raise Fault(400, f"Validation failure: VIP must contain one of: {', '.join(VIP_SOURCES)}.")
    for name in sent:
        if not getattr(settings, f"allow_{name}"):
            raise Fault(400, f"{name} cannot be chosen here: disabled by the administrator.")
    subnets = [vip.subnet_id for vip in body.additional_vips]
    subnets += [] if body.vip_subnet_id is None else [body.vip_subnet_id]
    if len({*subnets}) < len(subnets):
        raise Fault(400, "additional_vips and vip_subnet_id must name different subnets.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What shall stand below a load balancer."""

    listeners: tuple[Listener, ...]
    pools: tuple[PoolWish, ...]
    l7_policies: tuple[L7PolicyWish, ...]


def tree(body: LoadBalancerPost, ids: Ids, settings: ApiSettings) -> Tree:
    """
    Give what shall stand below the load balancer: pools are defined once and referred to by name.

    Raises:
        Fault: a pool without a name, defined twice, referred to and not there; or what `check` of a child refuses.
    """
    pools = _pools(body, ids, settings)
    by_name = {wish.pool.name: wish.pool.id for wish in pools}
    listeners: list[Listener] = []
    policies: list[L7PolicyWish] = []
    for each in body.listeners:
        listener.check(each, settings)
        pool_id = each.default_pool_id if each.default_pool is None else by_name[each.default_pool.name]
        wish = each.wish(ids.new(), default_pool_id=pool_id, site=tls.listeners(settings))
        listeners.append(wish)
        policies += _policies(each, wish.id, by_name, ids)
    return Tree(listeners=tuple(listeners), pools=pools, l7_policies=tuple(policies))


def _pools(body: LoadBalancerPost, ids: Ids, settings: ApiSettings) -> tuple[PoolWish, ...]:
    named = [*body.pools, *_inner_pools(body)]
    definitions: dict[str, NestedPool] = {}
    for each in _inner_pools(body):
        if not each.name:
            raise Fault(
                400, "Pools of listeners and policies must be named along with a load balancer: name is missing."
            )
    for each in named:
        _define(definitions, each, settings)
    for each in named:
        if each.name not in definitions:
            raise Fault(400, f"Pool '{each.name}' is referred to, and defined nowhere in the request.")
    site = tls.pools(settings)
    return tuple(definition.wish(ids, site) for definition in definitions.values())


def _inner_pools(body: LoadBalancerPost) -> Iterator[NestedPool]:
    for each in body.listeners:
        if each.default_pool is not None:
            yield each.default_pool
        for policy in each.l7policies:
            if policy.redirect_pool is not None:
                yield policy.redirect_pool


def _define(definitions: dict[str, NestedPool], each: NestedPool, settings: ApiSettings) -> None:
    if each.is_reference:
        return
    if each.name in definitions:
        raise Fault(400, f"Pool names must be unique within a load balancer: name '{each.name}' is there twice.")
    if each.protocol is None or each.lb_algorithm is None:
        raise Fault(400, f"Pool '{each.name}' needs protocol and lb_algorithm.")
    pool.check(each, settings)
    definitions[each.name] = each


def _policies(of: NestedListener, listener_id: str, pools: Mapping[str, PoolId], ids: Ids) -> Iterator[L7PolicyWish]:
    """Give the listener's policies in the order that they are tried: each one is put in at its position."""
    ordered: list[NestedL7Policy] = []
    for each in of.l7policies:
        l7_policy.check(each)
        ordered.insert(each.position - 1, each)
    for position, each in enumerate(ordered, start=1):
        pool_id = None if each.redirect_pool is None else pools[each.redirect_pool.name]
        policy = each.wish(ids.new(), listener_id=listener_id, pool_id=pool_id, position=position)
        yield L7PolicyWish(policy=policy, rules=tuple(rule.wish(ids.new()) for rule in each.rules))
