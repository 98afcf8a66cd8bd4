"""L7 policies: created at their place, updated, moved, deleted; positions stay without gaps."""

from msgspec.structs import replace

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.evolve import fold
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import l7_policy as validation
from actium_planner.validation.refusals import missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import ListenerId
from actium_shared.message import Rejected
from actium_shared.wishes import L7Policy

Command = commands.CreateL7Policy | commands.UpdateL7Policy | commands.DeleteL7Policy


def decide(command: Command, state: LoadBalancerState) -> Decision:
    match command:
        case commands.CreateL7Policy():
            return _create(command, state)
        case commands.UpdateL7Policy():
            return _update(command, state)
        case commands.DeleteL7Policy():
            return _delete(command, state)


def _create(command: commands.CreateL7Policy, state: LoadBalancerState) -> Decision:
    if command.l7_policy.id in state.l7_policies:
        return []
    settled = validation.settled_new(command.l7_policy)
    if isinstance(settled, Rejected):
        return settled
    refusal = _refusal(settled, state)
    if refusal is not None:
        return refusal
    last = len(state.l7_order.get(settled.listener_id, ())) + 1
    created = events.L7PolicyCreated(
        load_balancer_id=command.load_balancer_id,
        generation=state.next_generation,
        l7_policy=replace(settled, position=min(settled.position, last)),
    )
    return _ordered(created, state, settled.listener_id)


def _update(command: commands.UpdateL7Policy, state: LoadBalancerState) -> Decision:
    policy = state.l7_policy(command.l7_policy_id)
    if policy is None:
        return missing("L7 policy", command.l7_policy_id)
    settled = validation.settled(policy, command.changes)
    if isinstance(settled, Rejected):
        return settled
    changed = replace(settled, position=min(settled.position, len(state.l7_order[policy.listener_id])))
    if changed == policy:
        return []
    refusal = _refusal(changed, state)
    if refusal is not None:
        return refusal
    updated = events.L7PolicyUpdated(
        load_balancer_id=command.load_balancer_id, generation=state.next_generation, l7_policy=changed
    )
    return _ordered(updated, state, policy.listener_id)


def _delete(command: commands.DeleteL7Policy, state: LoadBalancerState) -> Decision:
    held = state.l7_policies.get(command.l7_policy_id)
    if held is None:
        return missing("L7 policy", command.l7_policy_id)
    removed = events.L7PolicyRemoved(
        load_balancer_id=command.load_balancer_id,
        generation=state.next_generation,
        listener_id=held.policy.listener_id,
        l7_policy_id=command.l7_policy_id,
    )
    return _ordered(removed, state, held.policy.listener_id)


def _refusal(policy: L7Policy, state: LoadBalancerState) -> Rejected | None:
    listener = state.listeners.get(policy.listener_id)
    if listener is None:
        return missing("Listener", policy.listener_id)
    return validation.validate(policy, listener, state.pools)


def _ordered(event: LoadBalancerEvent, state: LoadBalancerState, listener_id: ListenerId) -> Decision:
    """Give the event, and the new order where a policy that stays has moved."""
    before = {policy_id: place for place, policy_id in enumerate(state.l7_order.get(listener_id, ()))}
    after = fold(state, [event]).l7_order[listener_id]
    if all(before.get(policy_id, place) == place for place, policy_id in enumerate(after)):
        return [event]
    ordered = events.L7PoliciesOrdered(
        load_balancer_id=event.load_balancer_id,
        generation=state.next_generation,
        listener_id=listener_id,
        l7_policy_ids=after,
    )
    return [event, ordered]
