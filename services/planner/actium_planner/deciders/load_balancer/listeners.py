"""Listeners: created, updated, deleted."""

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import listener as validation
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.message import Rejected
from actium_shared.wishes import Listener

Command = commands.CreateListener | commands.UpdateListener | commands.DeleteListener


def decide(command: Command, state: LoadBalancerState) -> Decision:
    match command:
        case commands.CreateListener():
            return _create(command, state)
        case commands.UpdateListener():
            return _update(command, state)
        case commands.DeleteListener():
            return _delete(command, state)


def _create(command: commands.CreateListener, state: LoadBalancerState) -> Decision:
    if command.listener.id in state.listeners:
        return []
    refusal = _refusal(command.listener, state)
    if refusal is not None:
        return refusal
    return [
        events.ListenerCreated(
            load_balancer_id=command.load_balancer_id, generation=state.next_generation, listener=command.listener
        )
    ]


def _update(command: commands.UpdateListener, state: LoadBalancerState) -> Decision:
    listener = state.listeners.get(command.listener_id)
    if listener is None:
        return missing("Listener", command.listener_id)
    changed = apply_changes(listener, command.changes)
    if changed == listener:
        return []
    refusal = _refusal(changed, state)
    if refusal is not None:
        return refusal
    return [
        events.ListenerUpdated(
            load_balancer_id=command.load_balancer_id, generation=state.next_generation, listener=changed
        )
    ]


def _delete(command: commands.DeleteListener, state: LoadBalancerState) -> Decision:
    if command.listener_id not in state.listeners:
        return missing("Listener", command.listener_id)
    return [
        events.ListenerRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            listener_id=command.listener_id,
        )
    ]


def _refusal(listener: Listener, state: LoadBalancerState) -> Rejected | None:
    assert state.load_balancer is not None
    others = [other for other in state.listeners.values() if other.id != listener.id]
    return validation.validate(listener, state.load_balancer, others=others, pools=state.pools)
