"""Life and death on a real bus: who is asked, what stands on the log, and that our own absence is never their death."""

import asyncio
import signal
import time
from typing import Any

import pytest

from actium_shared.commands.health import FindLastHeard, LastHeard, ReleaseHeldLosses
from actium_shared.events import appliance
from actium_shared.events.health import AmphoraHeardAgain, AmphoraLossHeldBack, AmphoraLost, AmphoraRoleChanged
from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.message import Accepted, CommandCause, Rejected
from actium_shared.service import Service
from builders import an_id
from integration.health.fleet import QUICK, running, told, wait_expected, wait_told
from integration.health.test_processes import health_environment, is_up, process
from integration.health.world import World, until
from unit.health.given import AMPHORA, APPLIANCE, beat, booted, datagram, edge


async def test_one_that_is_silent_and_does_not_answer_is_lost_in_time_and_heard_again(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK) as health:
        one, _, _ = await fleet.boot("one", "two", "three")
        await wait_expected(health, 3)
        await asyncio.sleep(1.0)
        compute.dead.add(one)
        fleet.silent.add(one)
        (event,) = await wait_told(world, 1)
        assert isinstance(event, AmphoraLost)
        (item,) = await world.said()
        assert item.subject == f"evt.health.liveness.{one}"
        assert (event.amphora_id, event.appliance_id, event.host) == (one, an_id(f"appliance of {one}"), "host-0")
        took_s = item.stored_at.timestamp() - event.last_heard_at.timestamp()
        print(f"limit {QUICK['silent_most_s']} s, verdict on the log after {took_s:.2f} s")
        assert took_s >= QUICK["silent_most_s"]
        fleet.silent.clear()
        assert isinstance((await wait_told(world, 2))[1], AmphoraHeardAgain)


async def test_one_that_answers_is_left_alone_and_shown(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK) as health:
        one, _ = await fleet.boot("one", "two")
        await wait_expected(health, 2)
        fleet.silent.add(one)

        async def shown() -> bool:
            return bool(health.status()["liveness"]["answering_but_silent"] == 1)  # type: ignore[index]

        await until(shown)
        await asyncio.sleep(2 * QUICK["silent_most_s"])
        assert set(compute.asked) == {one}
        assert not await told(world)


async def test_a_compute_that_does_not_answer_delays_the_verdict(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK, witness_grace_s=2.0) as health:
        one, _ = await fleet.boot("one", "two")
        await wait_expected(health, 2)
        compute.knows = False
        fleet.silent.add(one)
        (event,) = await wait_told(world, 1)
        assert isinstance(event, AmphoraLost)
        assert "nobody could be asked" in event.reason
        (item,) = await world.said()
        assert item.stored_at.timestamp() - event.last_heard_at.timestamp() >= 2.8


async def test_no_relay_no_verdict(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK) as health:
        one, two = await fleet.boot("one", "two")
        await wait_expected(health, 2)
        compute.dead |= {one, two}
        fleet.relay = False
        await asyncio.sleep(2.5)
        assert not await told(world)
        fleet.relay = True  # and both beat again at once
        await asyncio.sleep(1.5)
        assert not await told(world)


async def test_a_relay_signs_when_nothing_comes(world: World) -> None:
    async with running(world) as (fleet, compute), world.relay(sign_every_s=0.1):
        fleet.relay = False
        async with world.health(**QUICK) as health:
            (one,) = await fleet.boot("one")
            compute.dead.add(one)
            (event,) = await wait_told(world, 1)
            assert isinstance(event, AmphoraLost)
            assert "never heard" in event.reason
            relays: Any = health.status()["liveness"]["listening"]["relays"]  # type: ignore[index]
            assert "relay" in relays


async def test_a_spare_is_looked_at_less_often_and_names_its_pool(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK, spare_silent_most_s=3.0) as health:
        (one,) = await fleet.boot("one", spare=True)
        await fleet.boot("two")
        await wait_expected(health, 2)
        compute.dead.add(one)
        fleet.silent.add(one)
        (event,) = await wait_told(world, 1)
        assert event.appliance_id == an_id("pool")
        assert isinstance(event, AmphoraLost)
        (item,) = await world.said()
        assert item.stored_at.timestamp() - event.last_heard_at.timestamp() >= 3.0


async def test_one_that_was_dismissed_is_not_judged(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK) as health:
        one, _ = await fleet.boot("one", "two")
        await wait_expected(health, 2)
        gone = appliance.AmphoraDismissed(
            appliance_id=ApplianceId(an_id(f"appliance of {one}")), amphora_id=one, reason="test"
        )
        await world.append("planner", "appliance", gone.appliance_id, gone)

        async def seen() -> bool:
            return bool(health.status()["liveness"]["expected"] == 1)  # type: ignore[index]

        await until(seen)
        compute.dead.add(one)
        fleet.silent.add(one)
        await asyncio.sleep(2.0)
        assert not await told(world)


async def test_a_farewell_hurries(world: World) -> None:
    patient = QUICK | {"silent_most_s": 10.0}
    async with running(world) as (fleet, compute), world.health(**patient) as health:
        one, _ = await fleet.boot("one", "two")
        await wait_expected(health, 2)
        compute.dead.add(one)
        fleet.silent.add(one)
        said_at = time.time()
        await world.signal(datagram({}, at=said_at, counter=10**6, amphora_id=one, kind="farewell"), kind="edges")
        (event,) = await wait_told(world, 1)
        assert isinstance(event, AmphoraLost)
        (item,) = await world.said()
        assert item.stored_at.timestamp() - said_at < 2.0


async def test_a_storm_is_held_back_until_an_operator_says_that_it_is_real(world: World) -> None:
    few = QUICK | {"losses_floor": 2, "losses_share": 0.0}
    async with running(world) as (fleet, compute), world.server.bus("api") as api:
        async with world.health(**few) as health:
            everybody = await fleet.boot(*(f"a{number}" for number in range(12)))
            await wait_expected(health, 12)
            assert isinstance(await api.ask(ReleaseHeldLosses()), Rejected)
            dead = set(everybody[:5])
            compute.dead |= dead
            fleet.silent |= dead
            events = await wait_told(world, 5)
            assert [type(event) for event in events].count(AmphoraLost) == 2
            held = {event.amphora_id for event in events if isinstance(event, AmphoraLossHeldBack)}
            assert len(held) == 3
            assert set(health.status()["liveness"]["held_back"]) == held  # type: ignore[index]
            reply = await api.ask(ReleaseHeldLosses(reason="the power is out"))
            assert isinstance(reply, Accepted)
            events = await told(world)
            assert {event.amphora_id for event in events if isinstance(event, AmphoraLost)} == dead
            causes = [item.commit.cause for item in await world.said()][5:]
            assert all(isinstance(cause, CommandCause) for cause in causes)
        # The limit outlives who keeps it, and beats from before a verdict, read after it, are no sign of life.
        async with world.health("another", **few) as again:
            await wait_expected(again, 12)
            compute.dead.add(everybody[5])
            fleet.silent.add(everybody[5])
            *_, last = await wait_told(world, 9)
            assert (type(last), last.amphora_id) == (AmphoraLossHeldBack, everybody[5])
            assert len(again.status()["liveness"]["lost"]) == 5  # type: ignore[index]


async def test_two_replicas_come_to_one_verdict(world: World) -> None:
    async with (
        running(world) as (fleet, compute),
        world.health("first", **QUICK) as first,
        world.health("second", **QUICK) as second,
    ):
        one, two, _ = await fleet.boot("one", "two", "three")
        await wait_expected(first, 3)
        await wait_expected(second, 3)
        fleet.roles[two] = "MASTER"
        compute.dead.add(one)
        fleet.silent.add(one)
        await wait_told(world, 2)
        await asyncio.sleep(1.5)
        assert sorted(event.TYPE for event in await told(world)) == sorted([AmphoraLost.TYPE, AmphoraRoleChanged.TYPE])


async def test_of_two_relays_and_two_replicas_one_each_is_enough_and_nothing_is_said_twice(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with (
        running(world) as (fleet, compute),
        world.relay(relay_name="second", sign_every_s=0.1),
        world.health("second", **QUICK) as second,
    ):
        fleet.by_udp = True
        one, *_ = await fleet.boot("one", "two", "three")
        fleet.all.append(AMPHORA)
        async with world.relay(relay_name="first", sign_every_s=0.1), world.health("first", **QUICK) as first:
            for each in (first, second):
                await wait_expected(each, 4)
                await until(lambda each=each: _hears_relays(each, "first", "second"))
            await until(lambda: _has_statuses(world))
            compute.dead |= set(fleet.all)  # should one be asked about, the worst would be said of it
        await asyncio.sleep(3 * QUICK["silent_most_s"])
        assert not compute.asked
        async with world.health("first", **QUICK) as first:
            await wait_expected(first, 4)
            fleet.silent.add(one)
            await wait_told(world, 1)
            await asyncio.sleep(2 * QUICK["silent_most_s"])
        assert [(event.TYPE, event.amphora_id) for event in await told(world)] == [(AmphoraLost.TYPE, one)]
        assert len(await world.statuses()) == 1


async def _hears_relays(health: Service, *names: str) -> bool:
    status: Any = health.status()
    return set(names) <= status["liveness"]["listening"]["relays"].keys()


async def _has_statuses(world: World) -> bool:
    return bool(await world.statuses())


async def test_roles_are_told_once_each_and_only_where_keepalived_runs(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with world.health(**QUICK | {"silent_most_s": 60.0}):
        bodies = [
            beat(),
            beat(role="LEARNING"),
            beat(role="BACKUP"),
            beat(role="BACKUP"),
            {"edges": [{"kind": "role", "id": "", "status": "MASTER", "reason": ""}]},
            beat(role="MASTER", epoch=1),
            edge("DOWN"),
            beat(role="MASTER", epoch=2),
            beat(role="FAULT", epoch=2),
        ]
        for counter, body in enumerate(bodies, 1):
            kind = "edge" if "edges" in body else "beat"
            await world.signal(datagram(body, at=time.time(), counter=counter, kind=kind))
            await asyncio.sleep(0.1)
        events = await wait_told(world, 5)
    assert [(event.role, event.epoch) for event in events if isinstance(event, AmphoraRoleChanged)] == [
        ("LEARNING", 1),
        ("BACKUP", 1),
        ("MASTER", 1),
        ("MASTER", 2),
        ("FAULT", 2),
    ]
    assert {event.appliance_id for event in events} == {APPLIANCE}


async def test_a_stopped_health_service_judges_nobody_for_its_own_absence(world: World) -> None:
    env = health_environment(world) | {"ACTIUM_SILENT_MOST_S": "1.5", "ACTIUM_PROBE_AHEAD_S": "0.5"}
    async with (
        running(world) as (fleet, compute),
        world.server.bus("api") as api,
        process("actium_health", env) as health,
    ):
        everybody = await fleet.boot("one", "two", "three")
        await until(lambda: is_up(api, "health"))
        await until(lambda: _hears(api, everybody))
        compute.dead |= set(everybody)  # should it ask, it would be told the worst
        for _ in range(2):
            health.send_signal(signal.SIGSTOP)
            await asyncio.sleep(4.0)
            health.send_signal(signal.SIGCONT)
            await asyncio.sleep(3.0)
        assert not compute.asked
        assert not await told(world)
        fleet.silent.add(everybody[0])  # and it has not gone deaf
        (event,) = await wait_told(world, 1)
        assert event.amphora_id == everybody[0]


async def test_a_restarted_health_service_gives_everybody_the_whole_limit(world: World) -> None:
    async with running(world) as (fleet, compute):
        one, _ = await fleet.boot("one", "two")
        async with world.health(**QUICK) as health:
            await wait_expected(health, 2)
        fleet.silent.add(one)
        compute.dead.add(one)
        await asyncio.sleep(1.5)
        began_at = time.time()
        async with world.health(**QUICK):
            await wait_told(world, 1)
        (item,) = await world.said()
        assert item.stored_at.timestamp() - began_at >= QUICK["silent_most_s"]


async def test_a_bus_that_was_stopped_is_no_death(world: World) -> None:
    async with running(world) as (fleet, compute), world.health(**QUICK) as health:
        everybody = await fleet.boot("one", "two")
        await wait_expected(health, 2)
        compute.dead |= set(everybody)
        world.server.kill()
        await asyncio.sleep(1.0)
        world.server.start()
        fleet.counter += 100
        await asyncio.sleep(3.0)
        assert not await told(world)


@pytest.mark.parametrize("asked_by", ["a", "b"])
async def test_an_operator_learns_who_was_heard_when(world: World, asked_by: str) -> None:
    async with running(world) as (fleet, _), world.health(**QUICK) as health, world.server.bus("api") as api:
        (one,) = await fleet.boot("one")
        await wait_expected(health, 1)
        reply = await api.ask(FindLastHeard(asked_by=asked_by))
        assert isinstance(reply, LastHeard)
        assert time.time() - reply.heard_at[one].timestamp() < 2.0


async def _hears(api: Any, everybody: list[AmphoraId]) -> bool:
    return set((await api.ask_status("health"))["amphorae"]["heard"]) == set(everybody)
