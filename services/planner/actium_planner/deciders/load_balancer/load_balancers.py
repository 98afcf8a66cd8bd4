"""The load balancer itself: created with its tree, updated, deleted."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from actium_planner.deciders.load_balancer import children
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.evolve import fold
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import load_balancer as validation
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import invalid
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.message import Rejected

DELETE_S = 120.0
"""A deletion that takes longer is shown as an ERROR, with its reason; the work goes on."""


def create(command: commands.CreateLoadBalancer, state: LoadBalancerState) -> Decision:
    """Create it with everything in it, or nothing at all."""
    if state.load_balancer is not None or state.deleted:
        return []
    if command.load_balancer.id != command.load_balancer_id:
        return invalid(
            f"The load balancer to be created is {command.load_balancer_id}, and what is sent says {command.load_balancer.id}.",
            field="load_balancer.id",
        )
    refusal = validation.validate(command.load_balancer, ())
    if refusal is not None:
        return refusal
    created = events.LoadBalancerCreated(
        load_balancer_id=command.load_balancer_id,
        generation=state.next_generation,
        load_balancer=command.load_balancer,
    )
    happened: list[LoadBalancerEvent] = [created]
    growing = fold(state, happened)
    for wish in _tree(command):
        # One commit is one wish, however many children it brings.
        decision = children.decide(wish, replace(growing, generation=state.generation))
        if isinstance(decision, Rejected):
            return decision
        happened += decision
        growing = fold(growing, decision)
    return happened


def _tree(command: commands.CreateLoadBalancer) -> Iterable[commands.LoadBalancerCommand]:
    """Give the tree as the wishes that would have built it: what others point to comes first."""
    lb_id = command.load_balancer_id
    for wish in command.pools:
        yield commands.CreatePool(load_balancer_id=lb_id, pool=wish.pool)
        if wish.members:  # all at once: each by itself would be compared with all before it
            members = tuple(commands.BatchMember(member=member) for member in wish.members)
            yield commands.ReplaceMembers(load_balancer_id=lb_id, pool_id=wish.pool.id, members=members)
        if wish.health_monitor is not None:
            yield commands.CreateHealthMonitor(
                load_balancer_id=lb_id, pool_id=wish.pool.id, health_monitor=wish.health_monitor
            )
    for listener in command.listeners:
        yield commands.CreateListener(load_balancer_id=lb_id, listener=listener)
    for each in command.l7_policies:
        yield commands.CreateL7Policy(load_balancer_id=lb_id, l7_policy=each.policy)
        for rule in each.rules:
            yield commands.CreateL7Rule(load_balancer_id=lb_id, l7_policy_id=each.policy.id, l7_rule=rule)


def update(command: commands.UpdateLoadBalancer, state: LoadBalancerState) -> Decision:
    """Change its own properties."""
    assert state.load_balancer is not None
    changed = apply_changes(state.load_balancer, command.changes)
    if changed == state.load_balancer:
        return []
    refusal = validation.validate(changed, state.listeners.values())
    if refusal is not None:
        return refusal
    return [
        events.LoadBalancerUpdated(
            load_balancer_id=command.load_balancer_id, generation=state.next_generation, load_balancer=changed
        )
    ]


def delete(command: commands.DeleteLoadBalancer, state: LoadBalancerState, now: datetime) -> Decision:
    """Have it deleted; asked for again after it was late, it gets another deadline."""
    if state.deleting and state.delete_by is not None:
        return []
    if not command.cascade and (state.listeners or state.pools):
        return invalid(f"Cannot delete Load Balancer {command.load_balancer_id} - it has children")
    return [
        events.LoadBalancerDeletionRequested(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            deadline_at=now + timedelta(seconds=DELETE_S),
        )
    ]


def fail_over(command: commands.FailOverLoadBalancer, state: LoadBalancerState) -> Decision:
    """Have what carries it exchanged."""
    return [
        events.LoadBalancerFailoverRequested(
            load_balancer_id=command.load_balancer_id, generation=state.next_generation
        )
    ]
