"""The aggregates' states in memory, kept up with the log: what this process appends, and what others did."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from actium_planner.deciders import appliance, catalogue, load_balancer, project
from actium_planner.usage import Usage
from actium_shared import streams
from actium_shared.envelope import CALLERS_ID
from actium_shared.event_store import EventStore, Recorded
from actium_shared.events.catalogue import CATALOGUE_ID
from actium_shared.message import Commit, EventCause, Position

S = TypeVar("S")

STREAM = streams.events_of("planner")

ANSWERED_MOST = 1000
"""Per aggregate. Who repeats a command after so many others on the same thing has it decided anew."""


@dataclass(slots=True)
class Held(Generic[S]):
    """
    One aggregate's state with its last sequence, and the lock of whoever decides on it.

    `followed` says how far it has reacted to each stream, so that an event delivered again is not reacted to again.
    `answered` holds the newest commands that their callers have named, with the positions of what they brought.
    """

    subject: str
    state: S
    sequence: int = 0
    followed: dict[str, int] = field(default_factory=dict)
    answered: dict[str | None, int] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def knows(self, position: Position) -> bool:
        """Say whether a commit at `position` has been reacted to."""
        return self.followed.get(position.stream, 0) >= position.sequence


class Aggregates(Generic[S]):
    """All aggregates of one kind; `changed` is told each new state. `newest` is the last commit that any contains."""

    def __init__(
        self,
        kind: str,
        empty: S,
        fold: Callable[[S, Any], S],
        *,
        changed: Callable[[str, S], None] | None = None,
    ) -> None:
        self.kind = kind
        self.newest = 0
        self._empty, self._fold, self._changed = empty, fold, changed
        self._held: dict[str, Held[S]] = {}

    def get(self, aggregate_id: str) -> Held[S]:
        """Give the aggregate, an empty one where there is none yet."""
        held = self._held.get(aggregate_id)
        if held is None:
            subject = streams.event_subject("planner", self.kind, aggregate_id)
            held = self._held[aggregate_id] = Held(subject, self._empty)
        return held

    def state(self, aggregate_id: str) -> S:
        """Give an aggregate's state, the empty one where there is none."""
        held = self._held.get(aggregate_id)
        return self._empty if held is None else held.state

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
        self.newest = max(self.newest, position.sequence)
        if self._changed is not None:
            self._changed(aggregate_id, held.state)
        if commit.id.startswith(CALLERS_ID):
            held.answered[commit.id] = position.sequence
            if len(held.answered) > ANSWERED_MOST:
                del held.answered[next(iter(held.answered))]
        if isinstance(commit.cause, EventCause):
            cause = commit.cause.position
            held.followed[cause.stream] = max(cause.sequence, held.followed.get(cause.stream, 0))


class States:
    """Every aggregate that the planner decides on. `position` is how far the planner's own log is contained."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.load_balancers = Aggregates(
            "loadbalancer", load_balancer.LoadBalancerState(), load_balancer.fold, changed=self.usage.changed
        )
        self.appliances = Aggregates("appliance", appliance.ApplianceState(), appliance.fold)
        self.projects = Aggregates("project", project.ProjectState(), project.fold)
        self.catalogues = Aggregates("catalogue", catalogue.CatalogueState(), catalogue.fold)
        self.position = 0
        self._by_kind: dict[str, Aggregates[Any]] = {
            each.kind: each for each in (self.load_balancers, self.appliances, self.projects, self.catalogues)
        }

    @property
    def catalogue(self) -> Held[catalogue.CatalogueState]:
        """The one catalogue."""
        return self.catalogues.get(CATALOGUE_ID)

    async def load(self, store: EventStore) -> None:
        """Read the whole log up to its present end."""
        async for recorded in store.read(STREAM, after=self.position):
            self.absorb(recorded)

    def absorb(self, recorded: Recorded) -> None:
        """Bring the aggregate that a commit is about up to it."""
        aggregates = self._by_kind.get(recorded.aggregate)
        if aggregates is not None:
            aggregates.absorb(recorded.aggregate_id, recorded.commit, recorded.position)
        self.position = max(self.position, recorded.position.sequence)
