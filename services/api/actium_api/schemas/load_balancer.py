"""Load balancers as clients send them, alone or with their whole tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from actium_api.faults import Fault, invalid, unsupported
from actium_api.schemas import listener, pool
from actium_api.schemas.fields import Address, Body, Create, Flag, ProjectName, Tags, Text, Uuid, changes, parse
from actium_api.schemas.listener import NestedListener
from actium_api.schemas.pool import NestedPool
from actium_shared.commands.planner import LoadBalancerChanges
from actium_shared.ids import Ids
from actium_shared.wishes import Listener, PoolWish


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
    vip_sg_ids: tuple[Uuid, ...] = ()
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
    vip_sg_ids: tuple[Uuid, ...] = ()
    vip_qos_policy_id: Uuid | None = None
    tags: Tags = ()

    def changes(self) -> LoadBalancerChanges:
        """Give what shall change."""
        sent = changes(self, {})
        return LoadBalancerChanges(**{name: value for name, value in sent.items() if not name.startswith("vip_")})


def check(body: LoadBalancerPost, *, providers: Sequence[str]) -> None:
    """
    Refuse what is invalid by itself, and after that what nothing serves yet.

    Raises:
        Fault: 400, or 501.
    """
    if not (body.vip_port_id or body.vip_network_id or body.vip_subnet_id):
        raise Fault(400, "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
    if body.provider is not None and body.provider not in providers:
        raise Fault(400, f"Provider '{body.provider}' is not enabled: provider must be one of {', '.join(providers)}.")
    subnets = [vip.subnet_id for vip in body.additional_vips] + [body.vip_subnet_id]
    if len({*subnets}) < len(subnets):
        raise Fault(400, "additional_vips and vip_subnet_id must name different subnets.")
    if body.flavor_id is not None:
        raise invalid("flavor_id", body.flavor_id, "There is no such flavor.")
    if body.availability_zone is not None:
        raise invalid("availability_zone", body.availability_zone, "There is no such availability zone.")
    refuse_unsupported(body)
    if body.additional_vips:
        raise unsupported("additional_vips")


def refuse_unsupported(body: LoadBalancerPost | LoadBalancerPut) -> None:
    """
    Refuse what nothing serves yet.

    Raises:
        Fault: 501.
    """
    if body.vip_sg_ids:
        raise unsupported("vip_sg_ids")
    if body.vip_qos_policy_id is not None:
        raise unsupported("vip_qos_policy_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What shall stand below a load balancer."""

    listeners: tuple[Listener, ...]
    pools: tuple[PoolWish, ...]


def tree(body: LoadBalancerPost, ids: Ids) -> Tree:
    """
    Give what shall stand below the load balancer: pools are named once and referred to by name.

    Raises:
        Fault: a pool without a name, named twice, referred to and not there; or what `check` of it refuses.
    """
    default_pools = [_default_pool(number, each) for number, each in enumerate(body.listeners)]
    definitions: dict[str, NestedPool] = {}
    named = (*body.pools, *filter(None, default_pools))
    for each in named:
        _define(definitions, each)
    for name in (each.name for each in named if each.name not in definitions):
        raise Fault(400, f"Pool '{name}' is referred to, and defined nowhere in the request.")
    wishes = {name: definition.wish(ids) for name, definition in definitions.items()}
    listeners = [
        _listener(each, default_pool, wishes, ids)
        for each, default_pool in zip(body.listeners, default_pools, strict=True)
    ]
    return Tree(listeners=tuple(listeners), pools=tuple(wishes.values()))


def _default_pool(number: int, of: NestedListener) -> NestedPool | None:
    if of.default_pool is None:
        return None
    return parse(NestedPool, "loadbalancer", of.default_pool, inside=f"listeners[{number}].default_pool")


def _define(definitions: dict[str, NestedPool], each: NestedPool) -> None:
    if not each.name:
        raise Fault(400, "Pools must be named when they are created along with a load balancer: name is missing.")
    if each.is_reference:
        return
    if each.name in definitions:
        raise Fault(400, f"Pool names must be unique within a load balancer: name '{each.name}' is there twice.")
    if each.protocol is None or each.lb_algorithm is None:
        raise Fault(400, f"Pool '{each.name}' needs protocol and lb_algorithm.")
    pool.check(each)
    definitions[each.name] = each


def _listener(
    each: NestedListener, default_pool: NestedPool | None, wishes: Mapping[str, PoolWish], ids: Ids
) -> Listener:
    listener.check(each)
    if each.l7policies:
        raise unsupported("l7policies")
    pool_id: str | None = each.default_pool_id
    if default_pool is not None:
        pool_id = wishes[default_pool.name].pool.id
    return each.wish(ids.new(), default_pool_id=pool_id)
