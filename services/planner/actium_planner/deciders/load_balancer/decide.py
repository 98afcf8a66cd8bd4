"""Is a tenant's wish allowed, and what happens then."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from actium_planner.deciders.load_balancer.batch import replace_members
from actium_planner.deciders.load_balancer.state import LoadBalancerState, fold
from actium_planner.validation import health_monitor as health_monitors
from actium_planner.validation import listener as listeners
from actium_planner.validation import member as members
from actium_planner.validation import pool as pools
from actium_planner.validation.changes import apply_changes
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Reason, Rejected
from actium_shared.wishes import Listener

DELETE_S = 120.0
"""A deletion that takes longer is shown as an ERROR, with its reason; the work goes on."""

Decision = Sequence[LoadBalancerEvent] | Rejected


def decide(command: commands.LoadBalancerCommand, state: LoadBalancerState, now: datetime) -> Decision:
    """Give what happens to the load balancer on a tenant's wish, or why nothing may."""
    if isinstance(command, commands.CreateLoadBalancer):
        return _create(command, state)
    if state.load_balancer is None:
        return Rejected(reason=Reason.NOT_FOUND, detail=f"Load balancer {command.load_balancer_id} not found.")
    if isinstance(command, commands.DeleteLoadBalancer):
        return _delete(command, state, now)
    if state.deleting:
        return Rejected(
            reason=Reason.IMMUTABLE,
            detail=f"Load balancer {command.load_balancer_id} is being deleted and cannot be changed.",
        )
    return _decide_change(command, state)


def _decide_change(command: commands.LoadBalancerCommand, state: LoadBalancerState) -> Decision:
    match command:
        case commands.UpdateLoadBalancer():
            return _update(command, state)
        case commands.CreateListener():
            return _create_listener(command, state)
        case commands.UpdateListener():
            return _update_listener(command, state)
        case commands.DeleteListener():
            return _delete_listener(command, state)
        case commands.CreatePool():
            return _create_pool(command, state)
        case commands.UpdatePool():
            return _update_pool(command, state)
        case commands.DeletePool():
            return _delete_pool(command, state)
        case commands.CreateMember():
            return _create_member(command, state)
        case commands.UpdateMember():
            return _update_member(command, state)
        case commands.DeleteMember():
            return _delete_member(command, state)
        case commands.ReplaceMembers():
            return _replace_members(command, state)
        case commands.CreateHealthMonitor():
            return _create_health_monitor(command, state)
        case commands.UpdateHealthMonitor():
            return _update_health_monitor(command, state)
        case commands.DeleteHealthMonitor():
            return _delete_health_monitor(command, state)
        case _:
            return Rejected(reason=Reason.UNSUPPORTED, detail=f"{command.TYPE} is not supported.")


# -- the load balancer itself


def _create(command: commands.CreateLoadBalancer, state: LoadBalancerState) -> Decision:
    if state.load_balancer is not None or state.deleted:
        return []
    lb_id = command.load_balancer_id
    growing = LoadBalancerState(load_balancer=command.load_balancer)
    happened: list[LoadBalancerEvent] = [
        events.LoadBalancerCreated(load_balancer_id=lb_id, generation=1, load_balancer=command.load_balancer)
    ]
    for wish in _tree(command):
        decision = _decide_change(wish, growing)
        if isinstance(decision, Rejected):
            return decision
        happened += _renumbered(decision)
        growing = fold(growing, decision)
    return happened


def _tree(command: commands.CreateLoadBalancer) -> Iterable[commands.LoadBalancerCommand]:
    """Give the single-call tree as the wishes that would have built it: pools first, as listeners point to them."""
    lb_id = command.load_balancer_id
    for wish in command.pools:
        yield commands.CreatePool(load_balancer_id=lb_id, pool=wish.pool)
        for member in wish.members:
            yield commands.CreateMember(load_balancer_id=lb_id, pool_id=wish.pool.id, member=member)
        if wish.health_monitor is not None:
            yield commands.CreateHealthMonitor(
                load_balancer_id=lb_id, pool_id=wish.pool.id, health_monitor=wish.health_monitor
            )
    for listener in command.listeners:
        yield commands.CreateListener(load_balancer_id=lb_id, listener=listener)


def _renumbered(decision: Sequence[LoadBalancerEvent]) -> list[LoadBalancerEvent]:
    # One commit is one wish, however many children it brings.
    return [_with_generation(event, 1) for event in decision]


def _with_generation(event: LoadBalancerEvent, generation: int) -> LoadBalancerEvent:
    """Give the same event as part of another wish."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return type(event)(**(fields | {"generation": generation}))


def _update(command: commands.UpdateLoadBalancer, state: LoadBalancerState) -> Decision:
    assert state.load_balancer is not None
    changed = apply_changes(state.load_balancer, command.changes)
    if changed == state.load_balancer:
        return []
    return [
        events.LoadBalancerUpdated(
            load_balancer_id=command.load_balancer_id, generation=state.generation + 1, load_balancer=changed
        )
    ]


def _delete(command: commands.DeleteLoadBalancer, state: LoadBalancerState, now: datetime) -> Decision:
    if state.deleting and state.delete_by is not None:
        return []
    if not command.cascade and (state.listeners or state.pools):
        return Rejected(
            reason=Reason.INVALID,
            detail=f"Cannot delete Load Balancer {command.load_balancer_id} - it has children",
        )
    return [
        events.LoadBalancerDeletionRequested(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            deadline_at=now + timedelta(seconds=DELETE_S),
        )
    ]


# -- listeners


def _create_listener(command: commands.CreateListener, state: LoadBalancerState) -> Decision:
    if command.listener.id in state.listeners:
        return []
    refusal = _refusal_of_listener(command.listener, state.listeners.values(), state)
    if refusal is not None:
        return refusal
    return [
        events.ListenerCreated(
            load_balancer_id=command.load_balancer_id, generation=state.generation + 1, listener=command.listener
        )
    ]


def _update_listener(command: commands.UpdateListener, state: LoadBalancerState) -> Decision:
    listener = state.listeners.get(command.listener_id)
    if listener is None:
        return _missing("Listener", command.listener_id)
    changed = apply_changes(listener, command.changes)
    if changed == listener:
        return []
    others = [other for other in state.listeners.values() if other.id != listener.id]
    refusal = _refusal_of_listener(changed, others, state)
    if refusal is not None:
        return refusal
    return [_listener_updated(command.load_balancer_id, state, changed)]


def _refusal_of_listener(listener: Listener, others: Iterable[Listener], state: LoadBalancerState) -> Rejected | None:
    assert state.load_balancer is not None
    return listeners.validate_ranges(listener, state.load_balancer) or listeners.validate(listener, others, state.pools)


def _delete_listener(command: commands.DeleteListener, state: LoadBalancerState) -> Decision:
    if command.listener_id not in state.listeners:
        return _missing("Listener", command.listener_id)
    return [
        events.ListenerRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            listener_id=command.listener_id,
        )
    ]


def _listener_updated(lb_id: LoadBalancerId, state: LoadBalancerState, listener: Listener) -> LoadBalancerEvent:
    return events.ListenerUpdated(load_balancer_id=lb_id, generation=state.generation + 1, listener=listener)


# -- pools


def _create_pool(command: commands.CreatePool, state: LoadBalancerState) -> Decision:
    if command.pool.id in state.pools:
        return []
    refusal = pools.validate(command.pool)
    if refusal is not None:
        return refusal
    happened: list[LoadBalancerEvent] = [
        events.PoolCreated(
            load_balancer_id=command.load_balancer_id, generation=state.generation + 1, pool=command.pool
        )
    ]
    if command.listener_id is not None:
        listener = state.listeners.get(command.listener_id)
        if listener is None:
            return _missing("Listener", command.listener_id)
        refusal = pools.validate_as_default(command.pool, listener)
        if refusal is not None:
            return refusal
        attached = apply_changes(listener, commands.ListenerChanges(default_pool_id=command.pool.id))
        happened.append(_listener_updated(command.load_balancer_id, state, attached))
    return happened


def _update_pool(command: commands.UpdatePool, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None:
        return _missing("Pool", command.pool_id)
    changed = apply_changes(held.pool, command.changes)
    if changed == held.pool:
        return []
    refusal = pools.validate(changed)
    if refusal is not None:
        return refusal
    return [
        events.PoolUpdated(load_balancer_id=command.load_balancer_id, generation=state.generation + 1, pool=changed)
    ]


def _delete_pool(command: commands.DeletePool, state: LoadBalancerState) -> Decision:
    if command.pool_id not in state.pools:
        return _missing("Pool", command.pool_id)
    detached = [
        _listener_updated(
            command.load_balancer_id, state, apply_changes(listener, commands.ListenerChanges(default_pool_id=None))
        )
        for listener in sorted(state.listeners.values(), key=lambda listener: listener.id)
        if listener.default_pool_id == command.pool_id
    ]
    removed = events.PoolRemoved(
        load_balancer_id=command.load_balancer_id, generation=state.generation + 1, pool_id=command.pool_id
    )
    return [*detached, removed]


# -- members


def _create_member(command: commands.CreateMember, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None:
        return _missing("Pool", command.pool_id)
    if command.member.id in held.members:
        return []
    refusal = members.validate(command.member, held.members.values())
    if refusal is not None:
        return refusal
    return [
        events.MemberCreated(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            pool_id=command.pool_id,
            member=command.member,
        )
    ]


def _update_member(command: commands.UpdateMember, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    member = held.members.get(command.member_id) if held is not None else None
    if member is None:
        return _missing("Member", command.member_id)
    changed = apply_changes(member, command.changes)
    if changed == member:
        return []
    return [
        events.MemberUpdated(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            pool_id=command.pool_id,
            member=changed,
        )
    ]


def _delete_member(command: commands.DeleteMember, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None or command.member_id not in held.members:
        return _missing("Member", command.member_id)
    return [
        events.MemberRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            pool_id=command.pool_id,
            member_id=command.member_id,
        )
    ]


def _replace_members(command: commands.ReplaceMembers, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None:
        return _missing("Pool", command.pool_id)
    return replace_members(command, held.members.values(), generation=state.generation + 1)


# -- health monitors


def _create_health_monitor(command: commands.CreateHealthMonitor, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None:
        return _missing("Pool", command.pool_id)
    if held.health_monitor is not None and held.health_monitor.id == command.health_monitor.id:
        return []
    refusal = health_monitors.validate(command.health_monitor, held.pool, held.health_monitor)
    if refusal is not None:
        return refusal
    return [
        events.HealthMonitorCreated(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            pool_id=command.pool_id,
            health_monitor=command.health_monitor,
        )
    ]


def _update_health_monitor(command: commands.UpdateHealthMonitor, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    monitor = held.health_monitor if held is not None else None
    if held is None or monitor is None or monitor.id != command.health_monitor_id:
        return _missing("Health monitor", command.health_monitor_id)
    changed = apply_changes(monitor, command.changes)
    if changed == monitor:
        return []
    refusal = health_monitors.validate(changed, held.pool, None)
    if refusal is not None:
        return refusal
    return [
        events.HealthMonitorUpdated(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            pool_id=command.pool_id,
            health_monitor=changed,
        )
    ]


def _delete_health_monitor(command: commands.DeleteHealthMonitor, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    monitor = held.health_monitor if held is not None else None
    if monitor is None or monitor.id != command.health_monitor_id:
        return _missing("Health monitor", command.health_monitor_id)
    return [
        events.HealthMonitorRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.generation + 1,
            pool_id=command.pool_id,
            health_monitor_id=command.health_monitor_id,
        )
    ]


def _missing(kind: str, object_id: str) -> Rejected:
    return Rejected(reason=Reason.NOT_FOUND, detail=f"{kind} {object_id} not found.")
