"""From a datagram to the log: what is believed leads to exactly one event, what is not is refused and counted."""

import time

import pytest

from actium_shared.commands.health import FindLastHeard, LastHeard, LogFigures
from actium_shared.heartbeat import DATAGRAM_LIMIT_BYTES
from actium_shared.ids import AmphoraId
from builders import LB, MEMBER, an_id
from integration.health.world import World, until, wait_for_count
from unit.health.given import AMPHORA, amphora_deleted, beat, booted, datagram, edge, renewed

ALL_WELL = {"loadbalancer": "ONLINE", "listener": "ONLINE", "pool": "ONLINE", "member": "ONLINE"}


async def test_a_good_beat_leads_to_exactly_one_event_and_its_repeats_to_none(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with world.health() as health, world.relay() as relay:
        await until(lambda: _listening(relay))
        for counter in range(1, 6):
            world.send(datagram(beat(), at=time.time(), counter=counter))
        await wait_for_count(health, "beats", "accepted", 5)
        assert await world.wait_for_commits(1) == [ALL_WELL]
        world.send(datagram(beat(member="DOWN"), at=time.time(), counter=6))
        assert (await world.wait_for_commits(2))[1:] == [{"loadbalancer": "ERROR", "pool": "ERROR", "member": "ERROR"}]
        assert relay.status()["datagrams"]["forwarded"] == 6  # type: ignore[index]
    first, _ = await world.said()
    assert first.subject == f"evt.health.health.{LB}"
    assert first.commit.reads == {"EVENTS_PLANNER": 2}


async def test_an_operator_learns_which_lines_of_logs_were_lost(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with world.health() as health, world.server.bus("api") as api:
        told = {"shipped": 5, "lost": {"full": 2, "socket": 1}}
        await world.signal(datagram(beat(logs={"shipped": 4, "lost": {}}), at=time.time(), counter=1))
        await world.signal(datagram(beat(logs=told), at=time.time(), counter=2))
        await wait_for_count(health, "beats", "accepted", 2)
        assert health.status()["logs"] == told
        reply = await api.ask(FindLastHeard())
        assert isinstance(reply, LastHeard)
        assert reply.logs == {AMPHORA: LogFigures(shipped=5, lost={"full": 2, "socket": 1})}


async def test_what_is_forged_oversized_or_nonsense_does_not_pass_the_relay(world: World) -> None:
    async with world.relay() as relay:
        await until(lambda: _listening(relay))
        good = datagram(beat(), at=time.time())
        world.send(datagram(beat(), at=time.time(), key=b"k" * 32))
        world.send(good[:-1] + bytes([good[-1] ^ 1]))
        world.send(good + b"x" * DATAGRAM_LIMIT_BYTES)
        world.send(b"")
        world.send(b"\xc1" * 100)
        world.send(good)
        await wait_for_count(relay, "datagrams", "forwarded", 1)
        counts = relay.status()["datagrams"]
    assert counts == {
        "accepted": 1,
        "forwarded": 1,
        "oversized": 1,
        "malformed": 2,
        "bad_signature": 2,
        "dropped": 0,
        "kernel_dropped": 0,
    }


async def test_health_believes_no_relay(world: World) -> None:
    await world.placed()
    now = time.time()
    good = datagram(beat(), at=now, counter=7)
    async with world.health() as health:
        await world.signal(good)
        assert await world.wait_for_commits(1) == [ALL_WELL]
        await world.signal(good, good)
        await world.signal(datagram(beat(member="DOWN"), at=now, key=b"k" * 32, counter=8))
        await world.signal(datagram(beat(member="DOWN"), at=now - 100, counter=9))
        await world.signal(datagram(beat(member="DOWN"), at=now, amphora_id=an_id("nobody"), counter=10))
        await world.signal(datagram({"edges": 7}, at=now, kind="edge", counter=11), kind="edges")
        await world.signal(datagram(beat(), at=now, counter=12), b"nonsense")
        await wait_for_count(health, "beats", "malformed", 2)
        counts = health.status()["beats"]
    assert counts == {
        "accepted": 2,
        "replayed": 2,
        "bad_signature": 1,
        "stale": 1,
        "unknown": 1,
        "malformed": 2,
        "overtaken": 0,
        "other_boot": 0,
    }
    assert len(await world.said()) == 1


async def test_the_same_datagram_by_two_relays_is_no_replay_and_says_nothing_twice(world: World) -> None:
    await world.placed()
    async with world.health() as health:
        for counter, word in enumerate(["UP", "DOWN"], 1):
            both = datagram(beat(member=word), at=time.time(), counter=counter)
            await world.signal(both, relay="one")
            await world.wait_for_commits(counter)
        await world.signal(datagram(beat(), at=time.time(), counter=1), relay="two")  # late, and no longer true
        await wait_for_count(health, "beats", "accepted", 3)
        assert health.status()["beats"]["replayed"] == 0  # type: ignore[index]
    assert len(await world.said()) == 2


async def test_old_keys_and_deleted_amphorae_are_unknown(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted(key_version=2))
    async with world.health() as health:
        await world.signal(datagram(beat(), at=time.time(), counter=2, key_version=2))
        await world.wait_for_commits(1)
        await world.signal(datagram(beat(), at=time.time(), counter=3, key_version=1))
        await wait_for_count(health, "beats", "unknown", 1)
        gone = await world.append("compute", "amphora", AMPHORA, amphora_deleted())
        await until(lambda: _reached(health, "EVENTS_COMPUTE", gone.sequence))
        await world.signal(datagram(beat(member="DOWN"), at=time.time(), counter=4, key_version=2))
        await wait_for_count(health, "beats", "unknown", 2)
        assert health.status()["amphorae"] == {"count": 0, "heard": {}}
    assert len(await world.said()) == 1


async def test_while_a_key_is_renewed_both_are_believed_and_afterwards_the_new_one_alone(world: World) -> None:
    await world.placed()
    await world.append("compute", "amphora", AMPHORA, booted())
    async with world.health() as health:
        for counter, version in ((2, 1), (3, 2), (4, 1)):
            await world.signal(datagram(beat(), at=time.time(), counter=counter, key_version=version))
        await wait_for_count(health, "beats", "accepted", 3)
        same = await world.append("compute", "amphora", AMPHORA, renewed(key_version=0))
        await until(lambda: _reached(health, "EVENTS_COMPUTE", same.sequence))
        await world.signal(datagram(beat(), at=time.time(), counter=5, key_version=1))
        await wait_for_count(health, "beats", "accepted", 4)
        new = await world.append("compute", "amphora", AMPHORA, renewed(key_version=2))
        await until(lambda: _reached(health, "EVENTS_COMPUTE", new.sequence))
        for counter, version in ((6, 1), (7, 2)):
            await world.signal(datagram(beat(), at=time.time(), counter=counter, key_version=version))
        await wait_for_count(health, "beats", "accepted", 5)
        await wait_for_count(health, "beats", "unknown", 1)


async def test_an_amphora_that_carries_another_load_balancer_cannot_speak_for_this_one(world: World) -> None:
    await world.placed()
    stranger = AmphoraId(an_id("stranger"))
    other = booted()
    await world.append(
        "compute",
        "amphora",
        stranger,
        type(other)(
            **{name: getattr(other, name) for name in other.__struct_fields__}
            | {"amphora_id": stranger, "appliance_id": an_id("elsewhere")}
        ),
    )
    async with world.health() as health:
        await world.signal(datagram(beat(member="DOWN", bytes_in=10**9), at=time.time(), amphora_id=stranger))
        await wait_for_count(health, "beats", "accepted", 1)
        await world.signal(datagram(beat(bytes_in=100), at=time.time()))
        assert await world.wait_for_commits(1) == [ALL_WELL]
        await until(lambda: _anything(world))
    assert {told.amphora_id for told in await world.published()} == {AMPHORA}


async def test_an_edge_is_told_without_waiting_for_a_beat_and_with_haproxys_reason(world: World) -> None:
    await world.placed()
    async with world.health(), world.relay() as relay:
        await until(lambda: _listening(relay))
        world.send(datagram(beat(), at=time.time(), counter=1))
        await world.wait_for_commits(1)
        sent_at = time.time()
        world.send(datagram(edge("DOWN", "Layer4 connection problem"), at=sent_at, counter=2, kind="edge"))
        await world.wait_for_commits(2)
    said = await world.said()
    (event,) = said[1].commit.events
    reasons = {change.id: change.reason for change in event.changes}  # type: ignore[attr-defined]
    assert reasons[MEMBER] == "Layer4 connection problem"
    print(f"edge to event: {1000 * (said[1].stored_at.timestamp() - sent_at):.1f} ms")


async def test_an_edge_never_overtakes_a_beat(world: World) -> None:
    await world.placed()
    async with world.health() as health, world.relay() as relay:
        await until(lambda: _listening(relay))
        for counter in range(1, 41, 2):
            world.send(datagram(beat(), at=time.time(), counter=counter))
            world.send(datagram(edge("UP"), at=time.time(), counter=counter + 1, kind="edge"))
        await wait_for_count(health, "beats", "accepted", 40)


async def test_a_relay_listens_as_soon_as_its_address_is_free(world: World) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{squatter.getsockname()[1]}"
        async with world.relay(relay_bind=address) as relay:
            await until(lambda: _answers(relay))
            assert not relay.status()["listening"]
            squatter.close()
            await until(lambda: _listening(relay))


@pytest.mark.parametrize("bind", ["10.0.0.1", "x", ":5555", "10.0.0.1:0", "10.0.0.1:port"])
async def test_a_wrong_address_is_named_at_start(world: World, bind: str) -> None:
    from actium_shared.errors import SettingsError

    with pytest.raises(SettingsError, match="ACTIUM_RELAY_BIND"):
        async with world.relay(relay_bind=bind):
            pass


async def _listening(relay: object) -> bool:
    return bool(relay.status()["listening"])  # type: ignore[attr-defined]


async def _answers(service: object) -> bool:
    return bool(service.status())  # type: ignore[attr-defined]


async def _reached(service: object, stream: str, sequence: int) -> bool:
    return bool(service.status()["positions"][stream] >= sequence)  # type: ignore[attr-defined]


async def _anything(world: World) -> bool:
    return bool(await world.published())
