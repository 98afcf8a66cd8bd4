"""A batch of members against those that a pool has: identity is (address, port), what is left out goes. Pure."""

from collections.abc import Mapping

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import PoolState
from actium_planner.validation import member as validation
from actium_planner.validation.refusals import conflict, invalid
from actium_shared.commands.planner import BatchMember, ReplaceMembers
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.message import Rejected
from actium_shared.wishes import LoadBalancer, Member

KEPT_WHEN_LEFT_OUT = ("name", "tags")
"""Everything else that a batch leaves out goes back to its default."""

Key = tuple[str, int]


def replace_members(command: ReplaceMembers, pool: PoolState, balancer: LoadBalancer, *, generation: int) -> Decision:
    """Give the creations, updates and removals that make the pool's members those of the batch."""
    held = {_key(member): member for member in pool.members.values()}
    wanted = _wanted(command, held, pool, balancer)
    if isinstance(wanted, Rejected):
        return wanted
    lb_id, pool_id = command.load_balancer_id, command.pool_id
    happened: list[LoadBalancerEvent] = []
    for key, entry in wanted.items():
        old = held.get(key)
        if old is None:
            happened.append(
                events.MemberCreated(
                    load_balancer_id=lb_id, generation=generation, pool_id=pool_id, member=entry.member
                )
            )
        elif (new := _merged(old, entry)) != old:
            happened.append(
                events.MemberUpdated(load_balancer_id=lb_id, generation=generation, pool_id=pool_id, member=new)
            )
    gone = [] if command.additive_only else [member for key, member in held.items() if key not in wanted]
    happened += [
        events.MemberRemoved(load_balancer_id=lb_id, generation=generation, pool_id=pool_id, member_id=member.id)
        for member in sorted(gone, key=lambda member: member.id)
    ]
    return happened


def _wanted(
    command: ReplaceMembers, held: Mapping[Key, Member], pool: PoolState, balancer: LoadBalancer
) -> dict[Key, BatchMember] | Rejected:
    wanted: dict[Key, BatchMember] = {}
    taken = {*pool.members}
    for entry in command.members:
        key = _key(entry.member)
        if key in wanted:
            return _named_twice(key, known=key in held)
        if key not in held and entry.member.id in taken:
            return conflict(f"The id {entry.member.id} is another member's already.", field="members")
        member = _merged(held[key], entry) if key in held else entry.member
        refusal = validation.validate_alone(member, balancer)
        if refusal is not None:
            return refusal
        wanted[key] = entry
        taken.add(entry.member.id)
    return wanted


def _key(member: Member) -> Key:
    return member.address, member.protocol_port


def _merged(old: Member, entry: BatchMember) -> Member:
    fields = {name: getattr(entry.member, name) for name in entry.member.__struct_fields__}
    kept = {name: getattr(old, name) for name in KEPT_WHEN_LEFT_OUT if name not in entry.sent}
    fixed = {"id": old.id, "subnet_id": old.subnet_id, "vnic_type": old.vnic_type}
    return Member(**(fields | kept | fixed))


def _named_twice(key: Key, *, known: bool) -> Rejected:
    refuse = invalid if known else conflict
    return refuse(f"Member {key[0]}:{key[1]} is named twice in the batch.", field="members")
