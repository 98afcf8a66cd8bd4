"""Health monitors: created, updated, deleted; a pool has one at most."""

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import health_monitor as validation
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events

Command = commands.CreateHealthMonitor | commands.UpdateHealthMonitor | commands.DeleteHealthMonitor


def decide(command: Command, state: LoadBalancerState) -> Decision:
    match command:
        case commands.CreateHealthMonitor():
            return _create(command, state)
        case commands.UpdateHealthMonitor():
            return _update(command, state)
        case commands.DeleteHealthMonitor():
            return _delete(command, state)


def _create(command: commands.CreateHealthMonitor, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None:
        return missing("Pool", command.pool_id)
    if held.health_monitor is not None and held.health_monitor.id == command.health_monitor.id:
        return []
    refusal = validation.validate(command.health_monitor, held.pool, held.health_monitor)
    if refusal is not None:
        return refusal
    return [
        events.HealthMonitorCreated(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            pool_id=command.pool_id,
            health_monitor=command.health_monitor,
        )
    ]


def _update(command: commands.UpdateHealthMonitor, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    monitor = held.health_monitor if held is not None else None
    if held is None or monitor is None or monitor.id != command.health_monitor_id:
        return missing("Health monitor", command.health_monitor_id)
    changed = apply_changes(monitor, command.changes)
    if changed == monitor:
        return []
    refusal = validation.validate(changed, held.pool, None)
    if refusal is not None:
        return refusal
    return [
        events.HealthMonitorUpdated(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            pool_id=command.pool_id,
            health_monitor=changed,
        )
    ]


def _delete(command: commands.DeleteHealthMonitor, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    monitor = held.health_monitor if held is not None else None
    if monitor is None or monitor.id != command.health_monitor_id:
        return missing("Health monitor", command.health_monitor_id)
    return [
        events.HealthMonitorRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            pool_id=command.pool_id,
            health_monitor_id=command.health_monitor_id,
        )
    ]
