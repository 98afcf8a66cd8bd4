"""One authority follows another while amphorae serve: nothing is pushed, nobody is locked out, wherever compute is killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from actium_compute.editions import Edition, Phase
from actium_shared import streams
from actium_shared.commands.compute import AuthorityReplacement, ReplaceAuthority
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore, Recorded
from actium_shared.events.authority import AuthorityTurned
from actium_shared.message import Actor, CommandCause
from actium_shared.testing.nats_server import NatsServer
from integration.compute.bench import DEADLINE_S, Amphora, Bench, until
from integration.compute.test_crashes import Killer, append, restart_when_struck

__all__ = ["append"]

BOUNDARIES = 32
"""Three renewals of two amphorae, each with two boundaries around the giving and two around the append; four steps told."""

REPLACE = ReplaceAuthority(reason="the old key was seen")
OPERATOR = Actor(user_id="admin alice", project_id="", request_id="req-1")


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A log for each test: amphorae of an earlier one, which are no more, would be waited for."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def bench(nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr("actium_compute.succession.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("actium_compute.renewing.OVERLAP_S", 0.0)
    async with AsyncExitStack() as stack:
        bench = Bench(nats_server, tmp_path, stack)
        await bench.connect()
        await bench.start()
        yield bench
        await bench.stop()
        await bench.machines.lose_all()


async def replace(bench: Bench) -> AuthorityReplacement:
    """Ask as the API does: again, while nobody answers."""
    async with asyncio.timeout(DEADLINE_S), bench.server.bus("api") as api:
        while True:
            try:
                answer = await api.ask(REPLACE, actor=OPERATOR, timeout_s=1.0)
            except RetryableError:
                continue
            assert isinstance(answer, AuthorityReplacement)
            return answer


async def told(bench: Bench) -> list[Recorded]:
    """Give what the log says of the authority."""
    subject = streams.event_subject("compute", "authority", "amphorae")
    store = JetStreamEventStore(bench.planner)
    return [item async for item in store.read(streams.events_of("compute"), after=0, subjects=(subject,))]


def edition(bench: Bench) -> Edition:
    path = bench.settings().authority_folder / "edition.json"
    return msgspec.json.decode(path.read_bytes(), type=Edition) if path.exists() else Edition()


async def settled(bench: Bench, number: int) -> None:
    """Wait until a replacement is done, and the log says so."""

    async def read() -> Edition:
        return edition(bench)

    await until(read, lambda now: now.number == number and now.phase is Phase.SETTLED)
    await until(lambda: told(bench), lambda items: steps(items)[-1:] == [(number, Phase.SETTLED)])


def steps(items: list[Recorded]) -> list[tuple[int, str]]:
    events = [event for item in items for event in item.commit.events]
    return [(event.edition, event.phase) for event in events if isinstance(event, AuthorityTurned)]


def trusted_by(bench: Bench, amphora: Amphora) -> list[str]:
    found = x509.load_pem_x509_certificates(bench.machines.agents[amphora.id].files["ca.pem"])
    return [certificate.subject.rfc4514_string() for certificate in found]


def certified_by(bench: Bench, amphora: Amphora) -> str:
    shown = x509.load_pem_x509_certificate(bench.machines.agents[amphora.id].files["agent.pem"])
    return shown.issuer.rfc4514_string()


async def served(bench: Bench, amphora: Amphora, bundle: int) -> None:
    await bench.order(amphora.configure(bundle))
    await until(lambda: bench.events(amphora), lambda events: getattr(events[-1], "bundle", 0) == bundle)


async def test_all_come_over_to_the_new_authority_and_the_old_one_is_gone(bench: Bench, amphora: Amphora) -> None:
    other = Amphora()
    await bench.serving(amphora)
    await bench.serving(other)
    digests = [bench.machines.agents[each.id].in_force["digest"] for each in (amphora, other)]
    old = trusted_by(bench, amphora)
    answer = await replace(bench)
    assert (answer.edition, answer.phase, answer.waiting_for) == (2, Phase.INTRODUCING, 2)
    await settled(bench, 4)
    for each, digest in zip((amphora, other), digests, strict=True):
        agent = bench.machines.agents[each.id]
        assert (agent.in_force["digest"], len(agent.pushes)) == (digest, 1)
        assert [certified_by(bench, each)] == trusted_by(bench, each) != old
        assert (await bench.types(each))[2:] == ["certificate-renewed"] * 3
        assert [event.credentials_edition for event in (await bench.events(each))[2:]] == [2, 3, 4]
    kept = {path.name for path in bench.settings().authority_folder.iterdir()}
    assert kept == {"ca-2.key", "ca-2.pem", "client.pem", "edition.json"}
    await bench.stop()
    await bench.start()
    await served(bench, amphora, 2)


async def test_each_step_is_on_the_log_and_the_first_with_reason_and_name(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await replace(bench)
    begun, *followed = await told(bench)  # before it was answered
    assert isinstance(begun.commit.cause, CommandCause)
    assert (begun.commit.cause.command, begun.commit.cause.actor) == (REPLACE, OPERATOR)
    await settled(bench, 4)
    begun, *followed = await told(bench)
    assert steps([begun, *followed]) == [
        (2, Phase.INTRODUCING),
        (3, Phase.CERTIFYING),
        (4, Phase.RETIRING),
        (4, Phase.SETTLED),
    ]
    assert not any(isinstance(item.commit.cause, CommandCause) for item in followed)
    await bench.stop()
    await bench.start()
    await replace(bench)
    await settled(bench, 7)
    assert len(await told(bench)) == 8


async def test_each_step_waits_for_the_last_amphora(
    bench: Bench, amphora: Amphora, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Amphora()
    await bench.serving(amphora)
    await bench.serving(other)
    await bench.machines.agents[other.id].stop()
    await replace(bench)
    await until(lambda: bench.types(amphora), lambda types: types[2:] == ["certificate-renewed"])
    await asyncio.sleep(0.5)
    assert edition(bench).phase is Phase.INTRODUCING
    assert await bench.types(amphora) == ["booted", "configured", "certificate-renewed"]
    assert (await replace(bench)).waiting_for == 1  # asked again, it goes on
    await bench.machines.agents[other.id].start()
    await settled(bench, 4)


async def test_one_that_boots_meanwhile_is_not_left_behind(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    at_boot, go_on = asyncio.Event(), asyncio.Event()

    async def slow_boot(name: str) -> None:
        if name == "after boot":
            at_boot.set()
            await go_on.wait()

    bench.machines.boundary = slow_boot
    late = Amphora()
    await bench.ports(late)
    await bench.order(late.boot(), late.configure(1))
    async with asyncio.timeout(20):
        await at_boot.wait()
    await replace(bench)
    await until(lambda: bench.types(amphora), lambda types: types[2:] == ["certificate-renewed"])
    await asyncio.sleep(0.3)
    assert edition(bench).phase is Phase.INTRODUCING
    go_on.set()
    await settled(bench, 4)
    await served(bench, late, 2)
    assert bench.machines.boots == [amphora.id, late.id]


async def test_an_agent_that_knows_nothing_of_authorities_holds_the_replacement_up_and_serves_on(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    bench.machines.agents[amphora.id].knows_certificates_only = True
    assert (await replace(bench)).waiting_for == 1
    await until(lambda: bench.types(amphora), lambda types: types[2:] == ["certificate-renewed"])
    await asyncio.sleep(0.5)
    assert await bench.types(amphora) == ["booted", "configured", "certificate-renewed"]
    assert edition(bench).phase is Phase.INTRODUCING
    await served(bench, amphora, 2)
    await bench.order(amphora.delete())
    await settled(bench, 4)


async def test_killed_anywhere_it_is_finished_after_a_restart(
    bench: Bench, amphora: Amphora, append: list[Killer]
) -> None:
    other = Amphora()
    await bench.serving(amphora)
    await bench.serving(other)
    reached: list[list[str]] = []
    for number in range(1, BOUNDARIES + 2):
        reached.append(await _killed_at(number, bench, append))
        for each in (amphora, other):
            assert len({push["digest"] for push in bench.machines.agents[each.id].pushes}) == 1
            assert [certified_by(bench, each)] == trusted_by(bench, each)
    assert len(reached[BOUNDARIES - 1]) == BOUNDARIES
    told_once = steps(await told(bench))
    assert len(set(told_once)) == len(told_once) == 4 * (BOUNDARIES + 1)
    assert bench.machines.boots == [amphora.id, other.id]
    await served(bench, amphora, 2)


async def _killed_at(number: int, bench: Bench, killers: list[Any]) -> list[str]:
    before = edition(bench).number
    killer = Killer(number)
    killers[:] = [killer]
    bench.machines.boundary = killer.boundary
    restarter = asyncio.create_task(restart_when_struck(bench, killer))
    await replace(bench)
    await settled(bench, before + 3)
    if not killer.struck.is_set():
        restarter.cancel()
    await asyncio.wait([restarter])
    killer.armed = False
    return killer.reached
