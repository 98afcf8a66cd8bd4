"""
Whose a child's id is, where callers make ids themselves: two load balancers must not use the same one.

Looked for in all load balancers, which takes a while: only for commands that their callers have named. Ids of our own
making are new.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from actium_planner.deciders import load_balancer
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.states import Aggregates
from actium_shared.commands.planner import LoadBalancerCommand, Propose
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Reason, Rejected
from actium_shared.wishes import HealthMonitor, L7Policy, L7Rule, Listener, Member, Pool

Child = Listener | Pool | Member | HealthMonitor | L7Policy | L7Rule


class ChildIds:
    """All children's ids: those that are there, and those that decisions on their way to the log will make."""

    def __init__(self, load_balancers: Aggregates[LoadBalancerState]) -> None:
        self._load_balancers = load_balancers
        self._claimed: dict[tuple[type[Child], str], LoadBalancerId] = {}

    @contextmanager
    def claimed(self, command: LoadBalancerCommand) -> Iterator[Rejected | None]:
        """Keep the ids that a command brings for its load balancer meanwhile; give the refusal where another has one."""
        wish = load_balancer.unpacked(command) if isinstance(command, Propose) else command
        children = {(type(child), child.id): child for child in _children(wish)}
        refusal = next(
            (no for child in children.values() if (no := self._refuse(child, command.load_balancer_id))), None
        )
        mine = set() if refusal else children.keys() - self._claimed.keys()
        self._claimed |= dict.fromkeys(mine, command.load_balancer_id)
        try:
            yield refusal
        finally:
            for key in mine:
                del self._claimed[key]

    def _refuse(self, child: Child, load_balancer_id: LoadBalancerId) -> Rejected | None:
        claimer = self._claimed.get((type(child), child.id), load_balancer_id)
        if claimer == load_balancer_id and not self._is_taken(child, load_balancer_id):
            return None
        detail = f"The id {child.id} is in use on another load balancer."
        return Rejected(reason=Reason.CONFLICT, detail=detail, field="id")

    def _is_taken(self, child: Child, load_balancer_id: LoadBalancerId) -> bool:
        return any(
            aggregate_id != load_balancer_id and _has(held.state, child) for aggregate_id, held in self._load_balancers
        )


def _children(part: object) -> Iterator[Child]:
    """Give all that is wished for in a command, however deep."""
    match part:
        case Listener() | Pool() | Member() | HealthMonitor() | L7Policy() | L7Rule():
            yield part
        case msgspec.Struct():
            for name in part.__struct_fields__:
                yield from _children(getattr(part, name))
        case tuple():
            for each in part:
                yield from _children(each)
        case _:
            return


def _has(state: LoadBalancerState, child: Child) -> bool:
    match child:
        case Listener():
            return child.id in state.listeners
        case Pool():
            return child.id in state.pools
        case Member():
            return any(child.id in pool.members for pool in state.pools.values())
        case HealthMonitor():
            monitors = (pool.health_monitor for pool in state.pools.values())
            return any(monitor is not None and monitor.id == child.id for monitor in monitors)
        case L7Policy():
            return child.id in state.l7_policies
        case L7Rule():
            return any(child.id in policy.rules for policy in state.l7_policies.values())
