"""`GET /load-balancers/{id}/story`: everything that ever happened for one load balancer, as a timeline."""

from contextlib import aclosing
from datetime import datetime

import msgspec

from actium_api.operator import reading, words
from actium_api.operator.errors import OperatorError
from actium_api.operator.lines import Line, lines, told_once
from actium_api.operator.relations import Relations
from actium_api.operator.starting_point import STREAMS, ends
from actium_shared.bus import Bus
from actium_shared.events.load_balancer import LoadBalancerCreated, LoadBalancerDeleted, LoadBalancerUpdated
from actium_shared.message import Actor


class StoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event with its time relative to the one before and to the first; `who` is found through the correlation id."""

    since_previous_s: float
    since_start_s: float
    who: str
    event: Line


class Story(msgspec.Struct, frozen=True, kw_only=True):
    load_balancer_id: str
    name: str | None
    deleted: bool
    events: tuple[StoryLine, ...]


async def story(bus: Bus, relations: Relations, load_balancer_id: str) -> Story:
    """
    Tell it up to now.

    Raises:
        OperatorError: the log knows no such load balancer.
    """
    until = await ends(bus)
    await relations.refresh(bus)
    feed = reading.history(
        bus, after=dict.fromkeys(STREAMS, 0), until=until, subjects=relations.subjects(load_balancer_id)
    )
    told: list[Line] = []
    async with aclosing(feed) as deliveries:
        async for delivery in deliveries:
            told += told_once(lines(delivery, relations, load_balancer_id=load_balancer_id))
    if not told:
        raise OperatorError(404, f"the log knows no load balancer {load_balancer_id!r}", field="load_balancer_id")
    return compose(load_balancer_id, told)


def compose(load_balancer_id: str, told: list[Line]) -> Story:
    """Put lines, oldest first, into a story."""
    return Story(
        load_balancer_id=load_balancer_id,
        name=_name(told),
        deleted=any(isinstance(line.body, LoadBalancerDeleted) for line in told),
        events=_timeline(told),
    )


def _timeline(told: list[Line]) -> tuple[StoryLine, ...]:
    actors: dict[str | None, Actor] = {}
    timeline: list[StoryLine] = []
    previous = first = told[0].time
    for line in told:
        if line.actor is not None and line.correlation_id not in (None, "", "-"):
            actors.setdefault(line.correlation_id, line.actor)
        actor = line.actor or actors.get(line.correlation_id)
        timeline.append(
            StoryLine(
                since_previous_s=_seconds(previous, line.time),
                since_start_s=_seconds(first, line.time),
                who=words.who(actor),
                event=line,
            )
        )
        previous = line.time
    return tuple(timeline)


def _seconds(begin: datetime, end: datetime) -> float:
    return round((end - begin).total_seconds(), 6)


def _name(told: list[Line]) -> str | None:
    for line in reversed(told):
        if isinstance(line.body, LoadBalancerCreated | LoadBalancerUpdated):
            return line.body.load_balancer.name
    return None
