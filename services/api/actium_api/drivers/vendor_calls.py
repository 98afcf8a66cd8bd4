"""
Commands as calls of octavia-lib's driver interface. Pure.

A driver gets the object that is changed as it was, and another that holds its id and what changes, all else unset. What
goes is handed over whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, structs

from actium_api.drivers import vendor_models as convert
from actium_api.faults import Fault, not_found
from actium_shared.commands import planner as commands
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.ids import L7PolicyId, L7RuleId, ListenerId, MemberId, PoolId
from actium_shared.wishes import L7PolicyWish, L7Rule, Listener, LoadBalancerWish, Member, PoolWish, Value

KEPT_WHEN_LEFT_OUT = ("name", "tags")
"""Of a member that a batch names again; all else goes back to its default."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a driver and its arguments."""

    method: str
    arguments: tuple[Any, ...]


def call(command: LoadBalancerCommand, before: LoadBalancerWish | None) -> Call:
    """
    Give the call that a command means for a load balancer that is so before it.

    Raises:
        Fault: what it is about is not there (any more), or there is no such call.
    """
    if isinstance(command, commands.CreateLoadBalancer):
        return Call("loadbalancer_create", (convert.load_balancer(_created(command)),))
    if before is None:
        raise not_found("Load Balancer", command.load_balancer_id)
    match command:
        case commands.UpdateLoadBalancer():
            new = structs.replace(before, load_balancer=_changed(before.load_balancer, command.changes))
            pair = (convert.load_balancer(before), convert.load_balancer(new))
            return _update("loadbalancer_update", pair, command.changes, id_field="loadbalancer_id")
        case commands.DeleteLoadBalancer(cascade=cascade):
            return Call("loadbalancer_delete", (convert.load_balancer(before), cascade))
        case commands.FailOverLoadBalancer():
            return Call("loadbalancer_failover", (command.load_balancer_id,))
        case commands.CreateListener() | commands.UpdateListener() | commands.DeleteListener():
            return _listener(command, before)
        case commands.CreatePool() | commands.UpdatePool() | commands.DeletePool():
            return _pool(command, before)
        case commands.CreateMember() | commands.UpdateMember() | commands.DeleteMember() | commands.ReplaceMembers():
            return _member(command, before)
        case commands.CreateHealthMonitor() | commands.UpdateHealthMonitor() | commands.DeleteHealthMonitor():
            return _monitor(command, before)
        case commands.CreateL7Policy() | commands.UpdateL7Policy() | commands.DeleteL7Policy():
            return _policy(command, before)
        case commands.CreateL7Rule() | commands.UpdateL7Rule() | commands.DeleteL7Rule():
            return _rule(command, before)
        case _:
            raise Fault(501, f"No driver interface has a call for {command.TYPE}.")


def undoing(command: LoadBalancerCommand, before: LoadBalancerWish | None) -> Call | None:
    """
    Give the call that deletes what a command may have created.

    Nothing for one that creates nothing, for what counts meanwhile, and for what was in something that is gone.
    """
    if isinstance(command, commands.CreateLoadBalancer):
        return Call("loadbalancer_delete", (convert.load_balancer(_created(command)), True)) if before is None else None
    created = _created_child(command)
    if created is None or before is None or created in _children(before):
        return None
    try:
        made = call(command, before)
    except Fault:
        return None
    return Call(made.method.replace("_create", "_delete"), made.arguments)


def _created_child(command: LoadBalancerCommand) -> str | None:
    match command:
        case commands.CreateListener(listener=made) | commands.CreatePool(pool=made):
            return made.id
        case commands.CreateMember(member=made) | commands.CreateHealthMonitor(health_monitor=made):
            return made.id
        case commands.CreateL7Policy(l7_policy=made) | commands.CreateL7Rule(l7_rule=made):
            return made.id
        case _:
            return None


def _children(tree: LoadBalancerWish) -> Iterator[str]:
    """Give the ids of everything in a load balancer."""
    for listener in tree.listeners:
        yield listener.id
    for held in tree.pools:
        yield from (held.pool.id, *(member.id for member in held.members))
        if held.health_monitor is not None:
            yield held.health_monitor.id
    for policy in tree.l7_policies:
        yield from (policy.policy.id, *(rule.id for rule in policy.rules))


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give data as it was in JSON."""
    return convert.plain(data)


def _created(command: commands.CreateLoadBalancer) -> LoadBalancerWish:
    return LoadBalancerWish(
        generation=1,
        load_balancer=command.load_balancer,
        listeners=command.listeners,
        pools=command.pools,
        l7_policies=command.l7_policies,
    )


def _sent(changes: Value) -> dict[str, Any]:
    return {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}


def _changed(wish: Any, changes: Value) -> Any:
    return structs.replace(wish, **_sent(changes))


def _update(method: str, pair: tuple[Any, Any], changes: Value, *, id_field: str) -> Call:
    old, new = pair
    fields = [convert.ITS_NAMES.get(name, name) for name in _sent(changes)]
    return Call(method, (old, convert.only(new, id_field, *fields)))


def _listener(
    command: commands.CreateListener | commands.UpdateListener | commands.DeleteListener, before: LoadBalancerWish
) -> Call:
    match command:
        case commands.CreateListener(listener=wish):
            return Call("listener_create", (convert.listener(wish, before),))
        case commands.UpdateListener(listener_id=listener_id, changes=changes):
            old = _find_listener(before, listener_id)
            pair = (convert.listener(old, before), convert.listener(_changed(old, changes), before))
            return _update("listener_update", pair, changes, id_field="listener_id")
        case commands.DeleteListener(listener_id=listener_id):
            return Call("listener_delete", (convert.listener(_find_listener(before, listener_id), before),))


def _pool(command: commands.CreatePool | commands.UpdatePool | commands.DeletePool, before: LoadBalancerWish) -> Call:
    match command:
        case commands.CreatePool(pool=wish, listener_id=listener_id):
            balancer = before.load_balancer
            made = convert.pool(wish, of=balancer.id, project_id=balancer.project_id, listener_id=listener_id)
            return Call("pool_create", (made,))
        case commands.UpdatePool(pool_id=pool_id, changes=changes):
            old = _find_pool(before, pool_id)
            new = structs.replace(old, pool=_changed(old.pool, changes))
            pair = (convert.pool_with_all(old, before), convert.pool_with_all(new, before))
            return _update("pool_update", pair, changes, id_field="pool_id")
        case commands.DeletePool(pool_id=pool_id):
            return Call("pool_delete", (convert.pool_with_all(_find_pool(before, pool_id), before),))


def _member(
    command: commands.CreateMember | commands.UpdateMember | commands.DeleteMember | commands.ReplaceMembers,
    before: LoadBalancerWish,
) -> Call:
    pool_id, project_id = command.pool_id, before.load_balancer.project_id
    match command:
        case commands.CreateMember(member=wish):
            return Call("member_create", (convert.member(wish, pool_id, project_id),))
        case commands.UpdateMember(member_id=member_id, changes=changes):
            old = _find_member(before, pool_id, member_id)
            new = _changed(old, changes)
            pair = (convert.member(old, pool_id, project_id), convert.member(new, pool_id, project_id))
            return _update("member_update", pair, changes, id_field="member_id")
        case commands.DeleteMember(member_id=member_id):
            old = _find_member(before, pool_id, member_id)
            return Call("member_delete", (convert.member(old, pool_id, project_id),))
        case commands.ReplaceMembers():
            wanted = [convert.member(each, pool_id, project_id) for each in _after_batch(command, before)]
            return Call("member_batch_update", (pool_id, wanted))


def _after_batch(command: commands.ReplaceMembers, before: LoadBalancerWish) -> Iterator[Member]:
    """Give the whole list of members that a pool is to have, known ones by their ids."""
    held = {(each.address, each.protocol_port): each for each in _find_pool(before, command.pool_id).members}
    for entry in command.members:
        old = held.pop((entry.member.address, entry.member.protocol_port), None)
        if old is None:
            yield entry.member
        else:
            kept = {name: getattr(old, name) for name in KEPT_WHEN_LEFT_OUT if name not in entry.sent}
            yield structs.replace(entry.member, **{"id": old.id, "subnet_id": old.subnet_id, **kept})
    if command.additive_only:
        yield from held.values()


def _monitor(
    command: commands.CreateHealthMonitor | commands.UpdateHealthMonitor | commands.DeleteHealthMonitor,
    before: LoadBalancerWish,
) -> Call:
    pool_id, project_id = command.pool_id, before.load_balancer.project_id
    if isinstance(command, commands.CreateHealthMonitor):
        return Call("health_monitor_create", (convert.health_monitor(command.health_monitor, pool_id, project_id),))
    old = _find_pool(before, pool_id).health_monitor
    if old is None or old.id != command.health_monitor_id:
        raise not_found("Health Monitor", command.health_monitor_id)
    was = convert.health_monitor(old, pool_id, project_id)
    if isinstance(command, commands.DeleteHealthMonitor):
        return Call("health_monitor_delete", (was,))
    new = convert.health_monitor(_changed(old, command.changes), pool_id, project_id)
    return _update("health_monitor_update", (was, new), command.changes, id_field="healthmonitor_id")


def _policy(
    command: commands.CreateL7Policy | commands.UpdateL7Policy | commands.DeleteL7Policy, before: LoadBalancerWish
) -> Call:
    if isinstance(command, commands.CreateL7Policy):
        wish = L7PolicyWish(policy=command.l7_policy)
        return Call("l7policy_create", (convert.l7_policy(wish, before),))
    old = _find_policy(before, command.l7_policy_id)
    was = convert.l7_policy(old, before)
    if isinstance(command, commands.DeleteL7Policy):
        return Call("l7policy_delete", (was,))
    new = structs.replace(old, policy=_changed(old.policy, command.changes))
    return _update("l7policy_update", (was, convert.l7_policy(new, before)), command.changes, id_field="l7policy_id")


def _rule(
    command: commands.CreateL7Rule | commands.UpdateL7Rule | commands.DeleteL7Rule, before: LoadBalancerWish
) -> Call:
    held, project_id = _find_policy(before, command.l7_policy_id), before.load_balancer.project_id
    if isinstance(command, commands.CreateL7Rule):
        return Call("l7rule_create", (convert.l7_rule(command.l7_rule, held.policy, project_id),))
    old = _find_rule(held, command.l7_rule_id)
    was = convert.l7_rule(old, held.policy, project_id)
    if isinstance(command, commands.DeleteL7Rule):
        return Call("l7rule_delete", (was,))
    new = convert.l7_rule(_changed(old, command.changes), held.policy, project_id)
    return _update("l7rule_update", (was, new), command.changes, id_field="l7rule_id")


def _find_listener(tree: LoadBalancerWish, listener_id: ListenerId) -> Listener:
    found = next((each for each in tree.listeners if each.id == listener_id), None)
    if found is None:
        raise not_found("Listener", listener_id)
    return found


def _find_pool(tree: LoadBalancerWish, pool_id: PoolId) -> PoolWish:
    found = next((each for each in tree.pools if each.pool.id == pool_id), None)
    if found is None:
        raise not_found("Pool", pool_id)
    return found


def _find_member(tree: LoadBalancerWish, pool_id: PoolId, member_id: MemberId) -> Member:
    found = next((each for each in _find_pool(tree, pool_id).members if each.id == member_id), None)
    if found is None:
        raise not_found("Member", member_id)
    return found


def _find_policy(tree: LoadBalancerWish, policy_id: L7PolicyId) -> L7PolicyWish:
    found = next((each for each in tree.l7_policies if each.policy.id == policy_id), None)
    if found is None:
        raise not_found("L7 Policy", policy_id)
    return found


def _find_rule(policy: L7PolicyWish, rule_id: L7RuleId) -> L7Rule:
    found = next((each for each in policy.rules if each.id == rule_id), None)
    if found is None:
        raise not_found("L7 Rule", rule_id)
    return found
