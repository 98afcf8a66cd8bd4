"""Every event has words of its own, and an update says what was asked to change."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from actium_api.operator import words
from actium_shared.commands.planner import ListenerChanges, UpdateListener
from actium_shared.events import EVENTS
from actium_shared.events.load_balancer import ListenerUpdated
from actium_shared.ids import ListenerId, LoadBalancerId
from actium_shared.message import Actor, ClockCause, CommandCause, Event, EventCause, Position, WorkCause
from actium_shared.wishes import Listener

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLOCK = ClockCause(deadline=NOW)


def example(kind: msgspec.inspect.Type) -> Any:
    """Give some value of a message's field."""
    match kind:
        case msgspec.inspect.StructType():
            given = {field.name: example(field.type) for field in kind.fields if field.required}
            return kind.cls(**given)
        case msgspec.inspect.DateTimeType():
            return NOW
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 7
        case msgspec.inspect.VarTupleType():
            return (example(kind.item_type),)
        case msgspec.inspect.DictType():
            return {example(kind.key_type): example(kind.value_type)}
        case _:
            return "some-text"


@pytest.mark.parametrize("event_class", EVENTS, ids=lambda event_class: event_class.TYPE)
def test_every_event_has_words_of_its_own(event_class: type[Event]) -> None:
    event = example(msgspec.inspect.type_info(event_class))
    told = words.what(event, CLOCK)
    assert told
    assert told != words.fields(event)


def test_an_update_says_what_was_asked_to_change() -> None:
    listener = Listener(id=ListenerId("a"), protocol="HTTP", protocol_port=80)
    load_balancer_id = LoadBalancerId("b")
    event = ListenerUpdated(load_balancer_id=load_balancer_id, generation=2, listener=listener)
    changes = ListenerChanges(connection_limit=5, name="x")
    command = UpdateListener(load_balancer_id=load_balancer_id, listener_id=listener.id, changes=changes)
    assert words.what(event, CommandCause(command=command)) == 'name = "x", connection_limit = 5'
    assert words.what(event, CLOCK) == "HTTP on port 80"


def test_causes_are_told_in_words() -> None:
    followed = EventCause(position=Position("EVENTS_NETWORK", 4), event_types=("port.created", "port.settled"))
    assert words.why(followed) == "follows EVENTS_NETWORK:4 (port.created, port.settled)"
    assert words.why(CLOCK) == "deadline of 12:00:00 UTC lapsed"
    order = WorkCause(order_id="amphora.boot/12345678-aaaa/1")
    assert words.why(order) == "outcome of amphora.boot/12345678/1"
    beat = WorkCause(order_id="amphora.beat/12345678-aaaa/0123456789abcdef/27")
    assert words.why(beat) == "outcome of amphora.beat/12345678/01234567/27"


def test_without_an_actor_it_was_actium() -> None:
    assert words.who(None) == "actium"
    assert words.who(Actor(user_id="u", project_id="p", request_id="r")) == "u of project p in r"
