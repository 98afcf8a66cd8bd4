"""Killed at any moment: nothing is said twice, nothing is lost."""

import time
from typing import Any

import msgspec

from actium_shared import statistics
from actium_shared.events.load_balancer import LoadBalancerDeletionRequested, MemberRemoved, MemberUpdated
from actium_shared.ids import AmphoraId
from actium_shared.service import Service
from builders import LB, LISTENER, MEMBER, POOL, an_id, member
from integration.health.world import World, until, wait_for_count
from unit.health.given import AMPHORA, APPLIANCE, BOOT, amphora_deleted, appointed, beat, booted, datagram, edge

ALL_WELL = {"loadbalancer": "ONLINE", "listener": "ONLINE", "pool": "ONLINE", "member": "ONLINE"}


async def test_a_restarted_health_repeats_nothing_and_learns_what_it_missed(world: World) -> None:
    await world.placed()
    async with world.health():
        for counter, word in enumerate(["UP", "DOWN", "UP"], 1):
            await world.signal(datagram(beat(member=word), at=time.time(), counter=counter))
            await world.wait_for_commits(counter)
    # Ups and downs that nobody read, and what stands at the end.
    for counter, word in enumerate(["DOWN", "UP", "DOWN", "UP", "MAINT"], 4):
        await world.signal(datagram(beat(member=word), at=time.time(), counter=counter))
    async with world.health() as health:
        await wait_for_count(health, "beats", "accepted", 8)
        assert (await world.wait_for_commits(4))[3:] == [{"member": "OFFLINE"}]
        await world.signal(datagram(beat(member="MAINT"), at=time.time(), counter=9))
        await wait_for_count(health, "beats", "accepted", 9)
        await world.signal(datagram(beat(member="MAINT"), at=time.time(), counter=9))
        await wait_for_count(health, "beats", "replayed", 1)
    assert len(await world.said()) == 4


async def test_tables_that_are_behind_the_log_or_gone_make_it_say_nothing_twice(world: World) -> None:
    await world.placed()
    async with world.health():
        await world.signal(datagram(beat(), at=time.time(), counter=1))
        await world.wait_for_commits(1)
    async with world.health(database="another") as health:  # as if killed between append and table
        await wait_for_count(health, "beats", "accepted", 1)
        await world.signal(datagram(edge("DOWN"), at=time.time(), counter=2, kind="edge"), kind="edges")
        assert await world.wait_for_commits(2) == [
            ALL_WELL,
            {"loadbalancer": "ERROR", "pool": "ERROR", "member": "ERROR"},
        ]


async def test_a_bus_that_loses_its_memory_is_read_again(world: World) -> None:
    await world.placed()
    async with world.health() as health, world.relay() as relay:
        await until(lambda: _listening(relay))
        for counter in range(1, 31):  # a message each, so that the new stream begins far behind
            await world.signal(datagram(beat(), at=time.time(), counter=counter))
        await wait_for_count(health, "beats", "accepted", 30)
        world.server.kill()
        world.server.start()
        counter = 31

        async def heard_again() -> bool:
            nonlocal counter
            world.send(datagram(beat(member="DOWN"), at=time.time(), counter=counter))
            counter += 1
            return len(await world.said()) == 2

        await until(heard_again)


async def test_a_wish_that_makes_a_status_obsolete_is_judged_on_what_is_known(world: World) -> None:
    await world.placed()
    async with world.health():
        await world.signal(datagram(beat(), at=time.time(), counter=1))
        await world.wait_for_commits(1)
        disabled = MemberUpdated(load_balancer_id=LB, generation=2, pool_id=POOL, member=member(admin_state_up=False))
        position = await world.append("planner", "loadbalancer", LB, disabled)
        assert (await world.wait_for_commits(2))[1:] == [{"member": "OFFLINE"}]
    assert (await world.said())[1].commit.reads["EVENTS_PLANNER"] >= position.sequence


async def test_of_a_deleted_load_balancer_nothing_is_said_any_more(world: World) -> None:
    await world.placed()
    async with world.health() as health:
        await world.signal(datagram(beat(), at=time.time(), counter=1))
        await world.wait_for_commits(1)
        gone = await world.append(
            "planner", "loadbalancer", LB, LoadBalancerDeletionRequested(load_balancer_id=LB, generation=2)
        )

        async def reached() -> bool:
            return bool(health.status()["positions"]["EVENTS_PLANNER"] >= gone.sequence)  # type: ignore[index]

        await until(reached)
        await world.signal(datagram(beat(member="DOWN"), at=time.time(), counter=2))
        await wait_for_count(health, "beats", "accepted", 2)
    assert len(await world.said()) == 1


async def test_totals_never_fall_over_new_boots_and_restarts(world: World) -> None:
    await world.placed()
    async with world.health():
        await world.signal(datagram(beat(bytes_in=1_000, active=3), at=time.time(), counter=1))
        await until(lambda: _totals_are(world, 1_000))
        await world.signal(datagram(beat(bytes_in=200, active=1), at=time.time(), boot_id="boot-2", counter=1))
        await until(lambda: _totals_are(world, 1_200))
    async with world.health():
        await world.signal(datagram(beat(bytes_in=300, active=1), at=time.time(), boot_id="boot-2", counter=2))
        await until(lambda: _totals_are(world, 1_300))
        await world.append("compute", "amphora", AMPHORA, amphora_deleted())

        async def closed() -> bool:
            return (await world.published())[-1].listeners[LISTENER].active_connections == 0

        await until(closed)
    told = [item.listeners[LISTENER] for item in await world.published()]
    assert [item.bytes_in for item in told] == sorted(item.bytes_in for item in told)
    assert [item.bytes_out for item in told] == [2 * item.bytes_in for item in told]
    assert told[-1].bytes_in == 1_300


async def test_totals_outlive_the_amphora_that_counted_them_to_its_last_beat(world: World) -> None:
    await world.placed()
    async with world.health():
        await world.signal(datagram(beat(bytes_in=1_000, active=3), at=time.time(), counter=1))
        await until(lambda: _totals_are(world, 1_000))
        await world.signal(datagram(beat(bytes_in=1_500, active=3), at=time.time(), counter=2))
        await world.append("compute", "amphora", AMPHORA, amphora_deleted())

        async def closed() -> bool:
            return (await world.published())[-1].listeners[LISTENER].active_connections == 0

        await until(closed)
        successor = AmphoraId(an_id("successor"))
        await world.append("planner", "appliance", APPLIANCE, appointed(successor))
        await world.append("compute", "amphora", successor, booted(amphora_id=successor))
        at = time.time()
        await until(lambda: _heard(world, datagram(beat(bytes_in=20), at=at, counter=1, amphora_id=successor)))
    newest = {told.amphora_id: told.listeners[LISTENER].bytes_in for told in await world.published()}
    assert newest[successor] == 20
    assert newest[AMPHORA] in (1_000, 1_500)  # the last beat may have come after the end


async def _heard(world: World, datagram: bytes) -> bool:
    await world.signal(datagram)
    return len({told.amphora_id for told in await world.published()}) == 2


async def test_a_lost_database_does_not_set_totals_back(world: World) -> None:
    await world.placed()
    async with world.health():
        await world.signal(datagram(beat(bytes_in=1_000, active=3), at=time.time(), counter=1))
        await until(lambda: _totals_are(world, 1_000))
        await world.signal(datagram(beat(bytes_in=200, active=1), at=time.time(), boot_id="boot-2", counter=1))
        await until(lambda: _totals_are(world, 1_200))
    async with world.health("another"):
        await world.signal(datagram(beat(bytes_in=300, active=1), at=time.time(), boot_id="boot-2", counter=2))
        await until(lambda: _totals_are(world, 1_300))
    told = [item.listeners[LISTENER].bytes_in for item in await world.published()]
    assert told == sorted(told)


async def test_the_snapshot_alone_brings_totals_back(world: World) -> None:
    await world.placed()
    async with world.health():
        await world.signal(datagram(beat(bytes_in=1_000, active=3), at=time.time(), counter=1))
        await world.signal(datagram(beat(bytes_in=200), at=time.time(), boot_id="boot-2", counter=1))
        await until(lambda: _totals_are(world, 1_200))
    async with world.server.bus("health") as bus:
        snapshots = [item async for item in bus.feed("SNAPSHOTS", after=0, subjects=("snap.health.>",), until_end=True)]
        assert {item.subject for item in snapshots} == {f"snap.health.totals.{LB}"}
        (told,) = [statistics.decode(body) for body in msgspec.msgpack.decode(snapshots[-1].body)]
    assert told.listeners[LISTENER].bytes_in == 1_200
    assert told.earlier[BOOT][LISTENER].bytes_in == 1_000


async def test_unchanged_totals_are_not_published_again(world: World) -> None:
    await world.placed()
    async with world.health() as health:
        for counter in range(1, 4):
            await world.signal(datagram(beat(bytes_in=500), at=time.time(), counter=counter))
        await wait_for_count(health, "beats", "accepted", 3)
        await until(lambda: _totals_are(world, 500))
        await world.signal(datagram(beat(bytes_in=600), at=time.time(), counter=4))
        await until(lambda: _totals_are(world, 600))
    assert [item.listeners[LISTENER].bytes_in for item in await world.published()] == [500, 600]


async def _totals_are(world: World, bytes_in: int) -> bool:
    published = await world.published()
    return bool(published) and published[-1].listeners[LISTENER].bytes_in == bytes_in


async def _listening(relay: object) -> bool:
    return bool(relay.status()["listening"])  # type: ignore[attr-defined]


async def test_a_rebuilt_read_model_is_equal(world: World) -> None:
    await world.placed()
    async with world.health() as health:
        for counter, word in enumerate(["UP", "DOWN", "UP"], 1):
            await world.signal(datagram(beat(member=word), at=time.time(), counter=counter))
            await world.wait_for_commits(counter)
        removed = MemberRemoved(load_balancer_id=LB, generation=2, pool_id=POOL, member_id=MEMBER)
        await world.append("planner", "loadbalancer", LB, removed)
        await until(lambda: _has_read(health, planner=3, health=3))
    async with world.health(database="rebuilt") as health:
        await until(lambda: _has_read(health, planner=3, health=3))
    assert world.rows("rebuilt") == world.rows("health")


async def _has_read(service: Service, **sequences: int) -> bool:
    positions: Any = service.status()["positions"]
    return all(positions[f"EVENTS_{owner.upper()}"] >= sequence for owner, sequence in sequences.items())
