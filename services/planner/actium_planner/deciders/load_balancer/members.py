"""Members: created, updated, deleted, one by one; all at once is in `batch`."""

from actium_planner.deciders.load_balancer.batch import replace_members
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import member as validation
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events

Command = commands.CreateMember | commands.UpdateMember | commands.DeleteMember | commands.ReplaceMembers


def decide(command: Command, state: LoadBalancerState) -> Decision:
    match command:
        case commands.CreateMember():
            return _create(command, state)
        case commands.UpdateMember():
            return _update(command, state)
        case commands.DeleteMember():
            return _delete(command, state)
        case commands.ReplaceMembers():
            return _replace(command, state)


def _create(command: commands.CreateMember, state: LoadBalancerState) -> Decision:
    assert state.load_balancer is not None
    held = state.pools.get(command.pool_id)
    if held is None:
        return missing("Pool", command.pool_id)
    if command.member.id in held.members:
        return []
    refusal = validation.validate(command.member, state.load_balancer, others=held.members.values())
    if refusal is not None:
        return refusal
    return [
        events.MemberCreated(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            pool_id=command.pool_id,
            member=command.member,
        )
    ]


def _update(command: commands.UpdateMember, state: LoadBalancerState) -> Decision:
    assert state.load_balancer is not None
    held = state.pools.get(command.pool_id)
    member = held.members.get(command.member_id) if held is not None else None
    if held is None or member is None:
        return missing("Member", command.member_id)
    changed = apply_changes(member, command.changes)
    if changed == member:
        return []
    refusal = validation.validate_alone(changed, state.load_balancer)
    if refusal is not None:
        return refusal
    return [
        events.MemberUpdated(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            pool_id=command.pool_id,
            member=changed,
        )
    ]


def _delete(command: commands.DeleteMember, state: LoadBalancerState) -> Decision:
    held = state.pools.get(command.pool_id)
    if held is None or command.member_id not in held.members:
        return missing("Member", command.member_id)
    return [
        events.MemberRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            pool_id=command.pool_id,
            member_id=command.member_id,
        )
    ]


def _replace(command: commands.ReplaceMembers, state: LoadBalancerState) -> Decision:
    assert state.load_balancer is not None
    held = state.pools.get(command.pool_id)
    if held is None:
        return missing("Pool", command.pool_id)
    return replace_members(command, held, state.load_balancer, generation=state.next_generation)
