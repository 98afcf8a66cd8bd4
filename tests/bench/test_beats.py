"""Beats of a thousand and of ten thousand amphorae through the code of health and of its relay, on one core."""

import hmac
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actium_health.beats import Beats
from actium_health.keys import KeyRing
from actium_health.liveness import Liveness
from actium_health.migrations import upgrade
from actium_health.publisher import Publisher
from actium_health.read_model import totals
from actium_health.read_model.projections import project
from actium_health.relay import Relay
from actium_health.settings import RelaySettings
from actium_health.traffic import Counted
from actium_shared.bus import Bus, Delivery
from actium_shared.clock import SystemClock
from actium_shared.events import appliance
from actium_shared.events import load_balancer as lb
from actium_shared.heartbeat import SIGNATURE_BYTES
from actium_shared.ids import AmphoraId, ApplianceId, ListenerId, LoadBalancerId
from actium_shared.read_model import Database
from actium_shared.statistics import ListenerTotals
from bench.figures import Figures
from builders import LISTENER, an_id, listener, load_balancer
from unit.health.given import MASTER_KEY, appointed, beat, booted, datagram, recorded

AIM_PER_S = 50_000
DIGESTS_MOST = 20
"""A beat costs so many bare digests of its bytes, of which it needs one itself. Seven are usual; it is processor's time."""

ROUNDS = 5
LIST_OF = 500
"""Datagrams in one message: what ten thousand amphorae send in the relay's 50 ms."""

START = 1_800_000_000.0


async def nothing() -> None: ...


def delivery(datagrams: list[bytes], sequence: int, at: float) -> Delivery:
    return Delivery(
        subject="sig.beats.relay",
        body=msgspec.msgpack.encode(datagrams),
        headers={},
        stream="SIGNALS",
        sequence=sequence,
        pending=0,
        delivery_count=1,
        time=datetime.fromtimestamp(at, UTC),
        acknowledge=nothing,
        still_busy=nothing,
    )


def names(number: int) -> tuple[AmphoraId, ApplianceId, LoadBalancerId, ListenerId]:
    return (
        AmphoraId(an_id(f"amphora {number}")),
        ApplianceId(an_id(f"appliance {number}")),
        LoadBalancerId(an_id(f"load balancer {number}")),
        ListenerId(an_id(f"listener {number}")),
    )


@pytest.fixture
def database() -> Iterator[Database]:
    opened = Database("sqlite://")
    upgrade(opened.engine)
    yield opened
    opened.close()


async def fleet(database: Database, count: int) -> None:
    """So many load balancers with a listener, each on an amphora of its own."""

    def change(connection: Any) -> None:
        for number in range(count):
            amphora_id, appliance_id, load_balancer_id, listener_id = names(number)
            made = lb.LoadBalancerCreated(
                load_balancer_id=load_balancer_id, generation=1, load_balancer=load_balancer(id=load_balancer_id)
            )
            listens = lb.ListenerCreated(
                load_balancer_id=load_balancer_id, generation=1, listener=listener(id=listener_id)
            )
            admitted = appliance.LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=load_balancer_id)
            serves = msgspec.structs.replace(appointed(amphora_id), appliance_id=appliance_id)
            project(connection, recorded("planner", "loadbalancer", load_balancer_id, 1, made, listens))
            project(connection, recorded("planner", "appliance", appliance_id, 2, admitted, serves))
            start = booted(amphora_id=amphora_id, appliance_id=appliance_id)
            project(connection, recorded("compute", "amphora", amphora_id, 1, start))

    await database.write(change)


def beats_of(count: int, second: int, *, busy: bool) -> list[bytes]:
    return [
        datagram(_body(number, second, busy=busy), at=START + second, counter=second + 1, amphora_id=names(number)[0])
        for number in range(count)
    ]


def _body(number: int, second: int, *, busy: bool) -> dict[str, Any]:
    body = beat(bytes_in=1_000_000 + (second * 1_000 if busy else 0))
    figures = body["listeners"][LISTENER]
    return body | {"listeners": {names(number)[3]: figures}, "load": second / 10, "memory_bytes": 20_000_000 + second}


async def processed_per_s(taking: Beats, rounds: list[list[bytes]], first: int) -> list[float]:
    rates = []
    for second, datagrams in enumerate(rounds):
        sequence = first + second * len(datagrams)
        messages = [
            delivery(datagrams[start : start + LIST_OF], sequence + start, START + first + second)
            for start in range(0, len(datagrams), LIST_OF)
        ]
        began = time.process_time()
        for message in messages:
            await taking.take(message)
        rates.append(len(datagrams) / (time.process_time() - began))
    return rates


def bare_hmac_per_s(rounds: list[list[bytes]]) -> list[float]:
    rates, key = [], bytes(range(32))
    for datagrams in rounds:
        payloads = [each[:-SIGNATURE_BYTES] for each in datagrams]
        began = time.process_time()
        for payload in payloads:
            hmac.digest(key, payload, "sha256")
        rates.append(len(payloads) / (time.process_time() - began))
    return rates


@pytest.mark.parametrize("count", [1_000, 10_000])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
async def test_beats_through_health(figures: Figures, database: Database, count: int, busy: bool) -> None:
    await fleet(database, count)
    clock, liveness = SystemClock(), Liveness()
    bus = Bus(url="nats://127.0.0.1:1", user="health", password="")
    publisher = Publisher(bus, database, clock)
    marked: list[str] = []
    beats = Beats(
        KeyRing(MASTER_KEY),
        database,
        publisher,
        {},
        liveness,
        mark=marked.extend,
        note=marked.append,
        age_most_s=30.0,
        clock=clock,
    )
    await processed_per_s(beats, [beats_of(count, second, busy=busy) for second in (0, 1)], 0)  # keys, tables, settling
    marked.clear()
    rounds = [beats_of(count, second, busy=busy) for second in range(2, 2 + ROUNDS)]
    rates = await processed_per_s(beats, rounds, 2)
    assert beats.facts()["beats"]["accepted"] == count * (2 + ROUNDS)  # type: ignore[index]
    assert not marked
    size = len(rounds[0][0])
    load = "figures change" if busy else "figures stand"
    found = figures.tell(f"health, beats of {count} amphorae, {load}", rates, "/s", note=f"{size} B, per core")
    bare = figures.tell("bare hmac.digest of the same bytes [peer]", bare_hmac_per_s(rounds), "/s")
    print(f"\n{found.median / AIM_PER_S:.1f} times the aim of {AIM_PER_S}/s", end="")
    figures.hold(f"health, a beat of {count} amphorae, to a bare digest", bare.median, found.median, most=DIGESTS_MOST)


@pytest.mark.parametrize("count", [1_000, 10_000])
async def test_a_sweep_over_amphorae_that_are_well(figures: Figures, count: int) -> None:
    liveness = Liveness()
    for number in range(count):
        amphora_id, appliance_id, *_ = names(number)
        liveness.expect(amphora_id, appliance_id=appliance_id, host=f"host-{number % 50}", spare=False, now=START)
        liveness.heard(liveness.pulse(amphora_id), START + 5)
    liveness.listening.message("relay", START, read_at=0.0)
    liveness.listening.message("relay", START + 1, read_at=1.0)
    for second in range(2, 7):
        liveness.listening.message("relay", START + second, read_at=float(second))
    took = []
    for _ in range(20):
        began = time.process_time()
        assert not liveness.sweep(START + 6).probes
        took.append((time.process_time() - began) * 1000)
    figures.tell(f"health, one sweep over {count} amphorae", took, "ms", note="five a second")


async def test_beats_through_the_relay(figures: Figures) -> None:
    count = 10_000
    settings = RelaySettings(heartbeat_master_key_file=Path("unused"), relay_bind="127.0.0.1:1")
    bus = Bus(url="nats://127.0.0.1:1", user="relay", password="")
    relay = Relay(bus, KeyRing(MASTER_KEY), settings, clock=SystemClock())
    rounds = [beats_of(count, second, busy=True) for second in range(1 + ROUNDS)]
    rates = []
    for datagrams in rounds:
        began = time.process_time()
        for start in range(0, count, LIST_OF):
            for each in datagrams[start : start + LIST_OF]:
                relay.take(each, ("127.0.0.1", 1))
            while batch := relay.outbox.take():
                msgspec.msgpack.encode([waiting.datagram for waiting in batch])
        rates.append(count / (time.process_time() - began))
    assert relay.facts()["datagrams"]["accepted"] == count * len(rounds)  # type: ignore[index]
    figures.tell("relay, verified and packed for the bus", rates[1:], "/s", note="per core, without its socket")


async def test_figures_of_ten_thousand_busy_listeners_in_the_tables(figures: Figures, database: Database) -> None:
    count = 10_000
    await fleet(database, count)
    took = []
    for second in range(1 + ROUNDS):
        counted = {
            (names(number)[0], "boot", names(number)[3]): Counted(
                at=START + second, figures=ListenerTotals(bytes_in=second)
            )
            for number in range(count)
        }
        began = time.process_time()
        await database.write(lambda connection, counted=counted: totals.keep(connection, counted))  # type: ignore[misc]
        took.append((time.process_time() - began) * 1000)
    figures.tell(f"health, figures of {count} listeners kept", took[1:], "ms", note="once a second, where all are busy")
