"""`GET /events`: which events are wanted, and the stream of them."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from actium_api.operator import reading
from actium_api.operator.errors import BadQueryError
from actium_api.operator.lines import Line, lines, told_once
from actium_api.operator.ndjson import Emit
from actium_api.operator.relations import STREAM, Relations
from actium_api.operator.starting_point import After
from actium_shared.bus import Bus, Delivery
from actium_shared.errors import UnreadableError
from actium_shared.event_store import Recorded, recorded
from actium_shared.events import EVENTS
from actium_shared.streams import EVENT_OWNERS, events_of, token

PARAMETERS = ("load_balancer", "about", "type", "from", "follow")
TYPES = tuple(sorted(event.TYPE for event in EVENTS))
TRUTHS: Mapping[str, bool] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsQuery:
    """What one reader wants. `begin` is not understood yet: that takes the bus."""

    load_balancer_id: str | None
    about: str | None
    """Whose own events: the id of an amphora, an appliance, a rollout, a secret or whatever else has some."""

    types: tuple[str, ...]
    begin: str
    follow: bool

    @classmethod
    def parse(cls, given: QueryParams) -> "EventsQuery":
        """
        Read the query string.

        Raises:
            BadQueryError: a parameter is unknown or has a value that makes no sense.
        """
        for name in given:
            if name not in PARAMETERS:
                raise BadQueryError(name, f"unknown parameter; known are {', '.join(PARAMETERS)}")
        if given.get("load_balancer") and given.get("about"):
            raise BadQueryError("about", "cannot be combined with load_balancer: that one tells of all that carries it")
        follow = parse_truth("follow", given.get("follow", "false"))
        return cls(
            load_balancer_id=given.get("load_balancer") or None,
            about=given.get("about") or None,
            types=tuple(parse_type(text) for text in given.getlist("type")),
            begin=given.get("from") or ("now" if follow else "start"),
            follow=follow,
        )

    def wants(self, line: Line) -> bool:
        return not self.types or line.type.startswith(self.types)


def parse_truth(field: str, text: str) -> bool:
    if text.lower() not in TRUTHS:
        raise BadQueryError(field, f"{text!r} is neither true nor false")
    return TRUTHS[text.lower()]


def parse_type(text: str) -> str:
    """Give a type or a beginning of types; one that fits no type at all is a mistake, not a wish for silence."""
    if not any(known.startswith(text) for known in TYPES):
        raise BadQueryError("type", f"no event's type begins with {text!r}; there are {', '.join(TYPES)}")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """One reader's stream: history up to `until`, then, if wished, all that follows."""

    bus: Bus
    relations: Relations
    query: EventsQuery
    after: After
    until: After

    async def tell(self, emit: Emit) -> None:
        feed = reading.history(self.bus, after=self.after, until=self.until, subjects=self._subjects())
        async with aclosing(feed) as deliveries:
            async for delivery in deliveries:
                await self._emit(delivery, emit)
        if self.query.follow:
            await self._follow(emit)

    def _subjects(self) -> Mapping[str, tuple[str, ...]] | None:
        """Give the subjects, by stream, that the reader wants; None for all."""
        if self.query.load_balancer_id is not None:
            return self.relations.subjects(self.query.load_balancer_id)
        if self.query.about is not None:
            return {events_of(owner): (f"evt.{owner}.*.{token(self.query.about)}",) for owner in EVENT_OWNERS}
        return None

    async def _follow(self, emit: Emit) -> None:
        async def deliver(delivery: Delivery) -> None:
            if await self._concerns(delivery):
                await self._emit(delivery, emit)

        # A future starting point (none is given out today) must not make the past come again.
        begin = {stream: max(self.after[stream], last) for stream, last in self.until.items()}
        await reading.follow(self.bus, after=begin, deliver=deliver)

    async def _emit(self, delivery: Delivery, emit: Emit) -> None:
        told = lines(delivery, self.relations, load_balancer_id=self.query.load_balancer_id)
        for line in told_once(filter(self.query.wants, told)):
            await emit(line)

    async def _concerns(self, delivery: Delivery) -> bool:
        if self.query.about is not None:
            return delivery.subject.endswith(f".{token(self.query.about)}")
        try:
            commit = recorded(delivery)
        except UnreadableError:
            return self.query.load_balancer_id is None or delivery.subject.endswith(token(self.query.load_balancer_id))
        await self._learn(commit)
        wanted = self.query.load_balancer_id
        return wanted is None or wanted in self.relations.load_balancers(commit.aggregate, commit.aggregate_id)

    async def _learn(self, commit: Recorded) -> None:
        if commit.position.stream == STREAM:
            self.relations.learn(commit)
        elif commit.aggregate in ("amphora", "port", "liveness") and not self.relations.knows_amphora(
            commit.aggregate_id
        ):
            # Streams are followed side by side: the appointment stands on the log, but may not have come here yet.
            await self.relations.refresh(self.bus)
