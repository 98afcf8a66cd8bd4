"""The stream of events: what is in it, where it begins, and how it ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from actium_shared.bus import Bus
from actium_shared.commands.planner import BatchMember, ReplaceMembers
from actium_shared.events.amphora import AmphoraDeleted
from actium_shared.events.load_balancer import MemberCreated
from actium_shared.ids import MemberId
from actium_shared.message import CommandCause
from actium_shared.streams import EVENT_OWNERS, events_of
from builders import LB, POOL, an_id, member
from integration.operator.conftest import OperatorApi
from integration.operator.writing import ACTOR, Life, Log

Lines = list[dict[str, Any]]

WHOLE_STORY = [
    "vip.reserved",
    "loadbalancer.created",
    "appliance.created",
    "appliance.load-balancer-admitted",
    "appliance.amphora-appointed",
    "appliance.bundle-cut",
    "port.created",
    "amphora.booted",
    "amphora.configured",
    "loadbalancer.placed",
    "loadbalancer.round-ended",
    "health.operating-status-changed",
    "amphora.deleted",
    "vip.released",
    "loadbalancer.deleted",
]


async def read(api: OperatorApi, **query: str | list[str]) -> Lines:
    answer = await api.client.get("/operator/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def types(lines: Lines) -> list[str]:
    return [line["type"] for line in lines]


async def lived(log: Log) -> Life:
    life = Life()
    await life.begin(log)
    await life.serve(log)
    await life.end(log)
    return life


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not await holds():
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.02)


async def consumers(bus: Bus) -> int:
    """How many readers the server knows of, on all streams of events."""
    names = [events_of(owner) for owner in EVENT_OWNERS]
    return sum([(await bus.api(f"STREAM.INFO.{name}", {}))["state"]["consumer_count"] for name in names])


async def test_one_load_balancers_events_of_all_services_come_in_order_of_time_and_no_others(
    api: OperatorApi, log: Log
) -> None:
    wanted, other = Life(), Life()
    for step in (Life.begin, Life.serve, Life.end):
        await step(wanted, log)
        await step(other, log)
    lines = await read(api, load_balancer=wanted.load_balancer_id)
    assert types(lines) == WHOLE_STORY
    assert {line["load_balancer_id"] for line in lines} == {wanted.load_balancer_id}
    assert lines == sorted(lines, key=lambda line: line["time"])


async def test_whatever_has_events_can_be_asked_about_by_its_id(api: OperatorApi, log: Log) -> None:
    life, _ = await lived(log), await lived(log)
    machine = ["amphora.booted", "amphora.configured", "amphora.deleted"]
    assert types(await read(api, about=life.amphora_id, type="amphora")) == machine
    carrier = await read(api, about=life.appliance_id)
    assert {line["aggregate"] for line in carrier} == {"appliance"}
    assert {line["aggregate_id"] for line in carrier} == {life.appliance_id}
    assert await read(api, about="nobody") == []
    following = {"about": life.amphora_id, "follow": "true", "from": "start"}
    async with asyncio.timeout(20), api.client.stream("GET", "/operator/v1/events", params=following) as answer:
        lines = answer.aiter_lines()
        past = [json.loads(await anext(lines)) for _ in range(4)]
        assert types(past) == ["port.created", *machine]
        await lived(log)  # nothing of another's
        await log.append(
            "amphora", life.amphora_id, AmphoraDeleted(amphora_id=life.amphora_id, appliance_id=life.appliance_id)
        )
        assert json.loads(await anext(lines))["aggregate_id"] == life.amphora_id


async def test_a_line_tells_actor_cause_and_body_in_full(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    lines = {line["type"]: line for line in await read(api, load_balancer=life.load_balancer_id)}
    created = lines["loadbalancer.created"]
    assert created["actor"] == {"user_id": "alice", "project_id": "p1", "request_id": "req-1"}
    assert created["cause"]["kind"] == "command"
    assert created["cause"]["command"]["type"] == "loadbalancer.create"
    assert created["cause"]["command"]["body"]["load_balancer"]["name"] == "web"
    assert created["body"]["load_balancer"]["vip"]["address"] == "203.0.113.100"
    assert created["version"] == 1
    assert created["correlation_id"] == life.load_balancer_id
    cut = lines["appliance.bundle-cut"]
    assert cut["cause"] == {
        "kind": "event",
        "position": created["position"],
        "event_types": ["loadbalancer.created"],
    }
    assert cut["index"] == 3
    assert lines["amphora.booted"]["cause"] == {"kind": "work", "order_id": f"amphora.boot/{life.amphora_id}/1"}
    assert lines["vip.released"]["cause"]["kind"] == "clock"


async def test_a_commits_cause_is_told_in_full_once_as_it_may_be_as_large_as_the_commit(
    api: OperatorApi, log: Log
) -> None:
    members = [BatchMember(member=member(id=MemberId(an_id(str(n))), protocol_port=n), sent=()) for n in range(1, 201)]
    command = ReplaceMembers(load_balancer_id=LB, pool_id=POOL, members=tuple(members), additive_only=False)
    events = [MemberCreated(load_balancer_id=LB, generation=2, pool_id=POOL, member=each.member) for each in members]
    await log.append("loadbalancer", LB, *events, cause=CommandCause(command=command, actor=ACTOR))
    first, *others = await read(api, load_balancer=LB)
    assert len(first["cause"]["command"]["body"]["members"]) == len(members)
    assert len(others) == len(members) - 1
    for line in others:
        assert line["cause"] == {"kind": "command", "command": {"type": "member.replace-all", "version": 1}}
    told = (await api.client.get(f"/operator/v1/load-balancers/{LB}/story")).json()["events"]
    assert [("body" in line["event"]["cause"]["command"]) for line in told] == [True] + [False] * len(others)


async def test_types_are_chosen_by_name_or_by_beginning(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    lines = await read(api, load_balancer=life.load_balancer_id, type=["vip", "amphora.booted"])
    assert types(lines) == ["vip.reserved", "amphora.booted", "vip.released"]


async def test_a_position_is_the_first_that_is_read_and_other_streams_begin_at_its_time(
    api: OperatorApi, log: Log
) -> None:
    life = await lived(log)
    lines = await read(api, load_balancer=life.load_balancer_id)
    placed = next(line for line in lines if line["type"] == "loadbalancer.placed")
    later = await read(api, load_balancer=life.load_balancer_id, **{"from": placed["position"]})
    assert types(later) == WHOLE_STORY[WHOLE_STORY.index("loadbalancer.placed") :]


async def test_a_time_begins_with_the_first_event_at_or_after_it(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    lines = await read(api, load_balancer=life.load_balancer_id)
    booted = next(line for line in lines if line["type"] == "amphora.booted")
    later = await read(api, load_balancer=life.load_balancer_id, **{"from": booted["time"]})
    assert types(later) == WHOLE_STORY[WHOLE_STORY.index("amphora.booted") :]
    assert await read(api, load_balancer=life.load_balancer_id, **{"from": "2999-01-01T00:00:00"}) == []
    assert await read(api, load_balancer=life.load_balancer_id, **{"from": "now"}) == []


async def _lines(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        yield json.loads(line)


async def test_a_follower_gets_the_past_and_then_what_happens_also_of_amphorae_that_are_new(
    api: OperatorApi, log: Log
) -> None:
    life, other = Life(), Life()
    await life.begin(log)
    query = {"load_balancer": life.load_balancer_id, "follow": "true", "from": "start"}
    async with asyncio.timeout(20), api.client.stream("GET", "/operator/v1/events", params=query) as answer:
        lines = _lines(answer)
        seen = [(await anext(lines))["type"] for _ in range(6)]
        await other.begin(log)
        await other.serve(log)
        await life.serve(log)
        await life.end(log)
        while len(seen) < len(WHOLE_STORY):
            seen.append((await anext(lines))["type"])
    assert sorted(seen) == sorted(WHOLE_STORY)


async def test_a_follower_of_a_load_balancer_that_is_created_later_misses_nothing(api: OperatorApi, log: Log) -> None:
    life = Life()
    query = {"load_balancer": life.load_balancer_id, "follow": "true"}
    seen: list[str] = []
    async with asyncio.timeout(20), api.client.stream("GET", "/operator/v1/events", params=query) as answer:
        await life.begin(log)
        await life.serve(log)
        lines = _lines(answer)
        while len(seen) < WHOLE_STORY.index("amphora.deleted"):
            seen.append((await anext(lines))["type"])
    assert sorted(seen) == sorted(WHOLE_STORY[: len(seen)])


async def test_where_a_stream_begins_is_told_so_that_a_reader_can_go_on_from_there(api: OperatorApi, log: Log) -> None:
    life = Life()
    async with api.client.stream("GET", "/operator/v1/events", params={"follow": "true"}) as answer:
        begin = answer.headers["X-Actium-From"]
    await life.begin(log)
    assert types(await read(api, **{"from": begin})) == WHOLE_STORY[:6]


async def test_consumers_end_with_their_reader(api: OperatorApi, log: Log) -> None:
    before = await consumers(api.bus)
    async with api.client.stream("GET", "/operator/v1/events", params={"follow": "true"}):

        async def followed() -> bool:
            return await consumers(api.bus) == before + len(EVENT_OWNERS)

        await until(followed)

    async def gone() -> bool:
        return await consumers(api.bus) == before

    await until(gone)


async def test_a_wrong_parameter_is_named_with_what_would_be_right(api: OperatorApi) -> None:
    wrong = {
        "from": ["yesterday", "EVENTS_MOON:1", "EVENTS_PLANNER:x", "EVENTS_PLANNER:0", "EVENTS_PLANNER:999999999"],
        "follow": ["perhaps"],
        "type": ["nonsense"],
        "colour": ["red"],
    }
    for field, values in wrong.items():
        for value in values:
            answer = await api.client.get("/operator/v1/events", params={field: value})
            assert answer.status_code == 400, (field, value)
            assert answer.json()["error"]["field"] == field
            assert answer.json()["error"]["detail"]


async def test_what_cannot_be_decoded_is_shown_with_its_position(api: OperatorApi, log: Log, nats_server: Any) -> None:
    async with nats_server.bus("health") as bus:
        stored = await bus.store("evt.health.health.unreadable", b"\xc1", headers={}, timeout_s=5)
    (line,) = await read(api, **{"from": f"EVENTS_HEALTH:{stored['seq']}", "load_balancer": "unreadable"})
    assert line["type"] == "unreadable"
    assert line["position"] == f"EVENTS_HEALTH:{stored['seq']}"
    assert "cannot read" in line["words"]["what"]
