"""Pools: created (as a listener's default where wished), updated, deleted with all that is in them."""

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import pool as validation
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import conflict, missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.ids import LoadBalancerId, PoolId
from actium_shared.wishes import Listener

Command = commands.CreatePool | commands.UpdatePool | commands.DeletePool


def decide(command: Command, state: LoadBalancerState) -> Decision:
    match command:
        case commands.CreatePool():
            return _create(command, state)
        case commands.UpdatePool():
            return _update(command, state)
        case commands.DeletePool():
            return _delete(command, state)


def _create(command: commands.CreatePool, state: LoadBalancerState) -> Decision:
    if command.pool.id in state.pools:
        return []
    refusal = validation.validate(command.pool)
    if refusal is not None:
        return refusal
    lb_id = command.load_balancer_id
    created = events.PoolCreated(load_balancer_id=lb_id, generation=state.next_generation, pool=command.pool)
    if command.listener_id is None:
        return [created]
    listener = state.listeners.get(command.listener_id)
    if listener is None:
        return missing("Listener", command.listener_id)
    refusal = validation.validate_as_default(command.pool, listener)
    if refusal is not None:
        return refusal
    return [created, _attached(lb_id, state, listener, command.pool.id)]


def _update(command: commands.UpdatePool, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None:
        return missing("Pool", command.pool_id)
    changed = apply_changes(held.pool, command.changes)
    if changed == held.pool:
        return []
    refusal = validation.validate(changed)
    if refusal is not None:
        return refusal
    return [
        events.PoolUpdated(load_balancer_id=command.load_balancer_id, generation=state.next_generation, pool=changed)
    ]


def _delete(command: commands.DeletePool, state: LoadBalancerState) -> Decision:
    if command.pool_id not in state.pools:
        return missing("Pool", command.pool_id)
    users = [held.policy.id for held in state.l7_policies.values() if held.policy.redirect_pool_id == command.pool_id]
    if users:
        return conflict(f"Pool {command.pool_id} is in use by L7 policy {min(users)} and cannot be deleted.")
    detached = [
        _attached(command.load_balancer_id, state, listener, None)
        for listener in sorted(state.listeners.values(), key=lambda listener: listener.id)
        if listener.default_pool_id == command.pool_id
    ]
    removed = events.PoolRemoved(
        load_balancer_id=command.load_balancer_id, generation=state.next_generation, pool_id=command.pool_id
    )
    return [*detached, removed]


def _attached(
    lb_id: LoadBalancerId, state: LoadBalancerState, listener: Listener, pool_id: PoolId | None
) -> events.ListenerUpdated:
    changed = apply_changes(listener, commands.ListenerChanges(default_pool_id=pool_id))
    return events.ListenerUpdated(load_balancer_id=lb_id, generation=state.next_generation, listener=changed)
