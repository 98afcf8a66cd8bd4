"""The aggregates' states in memory, kept up with the log: what this process appends, and what others did."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec

from actium_planner.deciders import appliance, catalogue, load_balancer, project, rollout, spares
from actium_planner.fleet import Fleet
from actium_planner.usage import Usage
from actium_shared import streams
from actium_shared.envelope import CALLERS_ID
from actium_shared.event_store import EventStore, Recorded
from actium_shared.events.catalogue import CATALOGUE_ID
from actium_shared.ids import ApplianceId, LoadBalancerId, RolloutId
from actium_shared.message import Cause, CommandCause, Commit, EventCause, Position

S = TypeVar("S")

STREAM = streams.events_of("planner")

ANSWERED_MOST = 1000
"""Per aggregate. Who repeats a command after so many others on the same thing has it decided anew."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Where a named command's outcome stands, and which command it was: a name is for one command only."""

    sequence: int
    digest: bytes


def digest(cause: Cause) -> bytes:
    """Give what tells a command from others, whatever the order in which its parts were sent; nothing for other causes."""
    if not isinstance(cause, CommandCause):
        return b""
    body = msgspec.msgpack.encode(cause.command, order="deterministic")
    return sha256(cause.command.TYPE.encode() + b"\0" + body).digest()


@dataclass(slots=True)
class Held(Generic[S]):
    """
    One aggregate's state with its last sequence, and the lock of whoever decides on it.

    `followed` says how far it has reacted to each stream, so that an event delivered again is not reacted to again.
    `answered` holds the newest commands that their callers have named, with what they brought.
    """

    subject: str
    state: S
    sequence: int = 0
    followed: dict[str, int] = field(default_factory=dict)
    answered: dict[str | None, Answered] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0

    def knows(self, position: Position) -> bool:
        """Say whether a commit at `position` has been reacted to."""
        return self.followed.get(position.stream, 0) >= position.sequence


class Contained:
    """How far a log is known without a gap: what this process appends may stand behind what others did, and it has not read."""

    def __init__(self) -> None:
        self.position = 0
        self._ahead: set[int] = set()

    def add(self, sequence: int) -> None:
        """Note that this commit is known."""
        self._ahead.add(sequence)
        self._close_up()

    def reach(self, sequence: int) -> None:
        """Note that all are known up to here."""
        if sequence > self.position:
            self.position = sequence
            self._ahead = {each for each in self._ahead if each > sequence}
        self._close_up()

    def _close_up(self) -> None:
        while self.position + 1 in self._ahead:
            self.position += 1
            self._ahead.discard(self.position)


class Aggregates(Generic[S]):
    """All aggregates of one kind; `changed` is told each new state. `newest` is the last commit that any contains."""

    def __init__(
        self,
        kind: str,
        empty: S,
        fold: Callable[[S, Any], S],
        *,
        changed: Callable[[str, S], None] | None = None,
        contained: Contained | None = None,
    ) -> None:
        self.kind = kind
        self.newest = 0
        self._empty, self._fold, self._changed = empty, fold, changed
        self._contained = contained or Contained()
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

    @asynccontextmanager
    async def locked(self, aggregate_id: str) -> AsyncIterator[Held[S]]:
        """
        Give the aggregate, for one to decide on at a time; one that does not exist is forgotten behind the last of them.

        Not before: all have to wait for the same lock.
        """
        held = self.get(aggregate_id)
        held.users += 1
        try:
            async with held.lock:
                yield held
        finally:
            held.users -= 1
            if not held.users and not held.sequence and self._held.get(aggregate_id) is held:
                del self._held[aggregate_id]

    def __iter__(self) -> Iterator[tuple[str, Held[S]]]:
        return iter(list(self._held.items()))

    def absorb(self, aggregate_id: str, commit: Commit, position: Position) -> None:
        """Bring the state up to a commit; one that it contains already changes nothing."""
        held = self.get(aggregate_id)
        if position.sequence <= held.sequence:
            return
        self._contained.add(position.sequence)
        held.state = self._fold(held.state, commit.events)
        held.sequence = position.sequence
        self.newest = max(self.newest, position.sequence)
        if self._changed is not None:
            self._changed(aggregate_id, held.state)
        if commit.id.startswith(CALLERS_ID):
            held.answered[commit.id] = Answered(position.sequence, digest(commit.cause))
            if len(held.answered) > ANSWERED_MOST:
                del held.answered[next(iter(held.answered))]
        if isinstance(commit.cause, EventCause):
            cause = commit.cause.position
            held.followed[cause.stream] = max(cause.sequence, held.followed.get(cause.stream, 0))


class States:
    """
    Every aggregate that the planner decides on. `position` is how far the planner's own log was read.

    `contained` counts what this process has appended, too.
    """

    def __init__(self) -> None:
        self.contained = Contained()
        self.usage = Usage()
        self.fleet = Fleet()
        self.load_balancers = Aggregates(
            "loadbalancer",
            load_balancer.LoadBalancerState(),
            load_balancer.fold,
            changed=self._load_balancer_changed,
            contained=self.contained,
        )
        self.appliances = Aggregates(
            "appliance",
            appliance.ApplianceState(),
            appliance.fold,
            changed=self._appliance_changed,
            contained=self.contained,
        )
        self.spares = Aggregates("spares", spares.SparesState(), spares.fold, contained=self.contained)
        self.projects = Aggregates("project", project.ProjectState(), project.fold, contained=self.contained)
        self.catalogues = Aggregates("catalogue", catalogue.CatalogueState(), catalogue.fold, contained=self.contained)
        self.active_rollouts: dict[RolloutId, rollout.RolloutState] = {}
        self.rollouts = Aggregates(
            "rollout", rollout.RolloutState(), rollout.fold, changed=self._rollout_changed, contained=self.contained
        )
        self.position = 0
        self._by_kind: dict[str, Aggregates[Any]] = {
            each.kind: each
            for each in (
                self.load_balancers,
                self.appliances,
                self.spares,
                self.projects,
                self.catalogues,
                self.rollouts,
            )
        }

    def _load_balancer_changed(self, aggregate_id: str, state: load_balancer.LoadBalancerState) -> None:
        self.usage.changed(aggregate_id, state)
        self.fleet.load_balancer_changed(LoadBalancerId(aggregate_id), state)

    def _appliance_changed(self, aggregate_id: str, state: appliance.ApplianceState) -> None:
        self.fleet.appliance_changed(ApplianceId(aggregate_id), state)

    def _rollout_changed(self, aggregate_id: str, state: rollout.RolloutState) -> None:
        if state.is_active:
            self.active_rollouts[RolloutId(aggregate_id)] = state
        else:
            self.active_rollouts.pop(RolloutId(aggregate_id), None)

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
        self.contained.reach(self.position)
