"""The aggregates' states in memory, kept up with the log: what this process appends, and what others did."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from actium_planner.deciders import appliance, load_balancer
from actium_shared import streams
from actium_shared.event_store import EventStore, Recorded
from actium_shared.message import Commit, EventCause, Position

S = TypeVar("S")

STREAM = streams.events_of("planner")


@dataclass(slots=True)
class Held(Generic[S]):
    """
    One aggregate's state with its last sequence, and the lock of whoever decides on it.

    `followed` says how far it has reacted to each stream, so that an event delivered again is not reacted to again.
    """

    subject: str
    state: S
    sequence: int = 0
    followed: dict[str, int] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def knows(self, position: Position) -> bool:
        """Say whether a commit at `position` has been reacted to."""
        return self.followed.get(position.stream, 0) >= position.sequence


class Aggregates(Generic[S]):
    """All aggregates of one kind."""

    def __init__(self, kind: str, empty: S, fold: Callable[[S, Any], S]) -> None:
        self.kind = kind
        self._empty, self._fold = empty, fold
        self._held: dict[str, Held[S]] = {}

    def get(self, aggregate_id: str) -> Held[S]:
        """Give the aggregate, an empty one where there is none yet."""
        held = self._held.get(aggregate_id)
        if held is None:
            subject = streams.event_subject("planner", self.kind, aggregate_id)
            held = self._held[aggregate_id] = Held(subject, self._empty)
        return held

    def drop_if_empty(self, aggregate_id: str) -> None:
        """Forget an aggregate that was asked for and does not exist."""
        held = self._held.get(aggregate_id)
        if held is not None and held.sequence == 0:
            del self._held[aggregate_id]

    def __iter__(self) -> Iterator[tuple[str, Held[S]]]:
        return iter(list(self._held.items()))

    def absorb(self, aggregate_id: str, commit: Commit, position: Position) -> None:
        """Bring the state up to a commit; one that it contains already changes nothing."""
        held = self.get(aggregate_id)
        if position.sequence <= held.sequence:
            return
        held.state = self._fold(held.state, commit.events)
        held.sequence = position.sequence
        if isinstance(commit.cause, EventCause):
            cause = commit.cause.position
            held.followed[cause.stream] = max(cause.sequence, held.followed.get(cause.stream, 0))


@dataclass(slots=True)
class States:
    """Every aggregate that the planner decides on. `position` is how far the planner's own log is contained."""

    load_balancers: Aggregates[load_balancer.LoadBalancerState] = field(
        default_factory=lambda: Aggregates("loadbalancer", load_balancer.LoadBalancerState(), load_balancer.fold)
    )
    appliances: Aggregates[appliance.ApplianceState] = field(
        default_factory=lambda: Aggregates("appliance", appliance.ApplianceState(), appliance.fold)
    )
    position: int = 0

    async def load(self, store: EventStore) -> None:
        """Read the whole log up to its present end."""
        async for recorded in store.read(STREAM, after=self.position):
            self.absorb(recorded)

    def absorb(self, recorded: Recorded) -> None:
        """Bring the aggregate that a commit is about up to it."""
        for aggregates in (self.load_balancers, self.appliances):
            if aggregates.kind == recorded.aggregate:
                aggregates.absorb(recorded.aggregate_id, recorded.commit, recorded.position)
        self.position = max(self.position, recorded.position.sequence)
