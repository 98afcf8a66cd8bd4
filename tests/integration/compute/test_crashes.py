"""Compute killed before and after every append and every effect: after a restart the work is finished, and nothing is doubled."""

import asyncio
from typing import Any

import pytest

from actium_shared.event_store import JetStreamEventStore
from actium_shared.message import Commit, Position
from builders import TENANT, member
from integration.compute.bench import Amphora, Bench, until

BOUNDARIES = 28
"""In one life: before and after the boot, 2 attachments, 3 pushes, a detachment, the cut, the deletion and 5 appends."""


class Killer:
    """Stops everything at the n-th boundary; nothing behind it is done any more."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.reached: list[str] = []
        self.struck = asyncio.Event()
        self.armed = True

    async def boundary(self, name: str) -> None:
        if not self.armed:
            return
        self.reached.append(name)
        self.left -= 1
        if self.left <= 0:
            self.struck.set()
            await asyncio.Event().wait()


@pytest.fixture
def append(monkeypatch: pytest.MonkeyPatch) -> list[Killer]:
    """Put boundaries around compute's appends too."""
    killers: list[Killer] = []
    real = JetStreamEventStore.append

    async def between(store: JetStreamEventStore, subject: str, commit: Commit, **details: Any) -> Position:
        ours = subject.startswith("evt.compute.") and killers
        if ours:
            await killers[0].boundary("before append")
        position = await real(store, subject, commit, **details)
        if ours:
            await killers[0].boundary("after append")
        return position

    monkeypatch.setattr(JetStreamEventStore, "append", between)
    return killers


async def killed_at(number: int, bench: Bench, amphora: Amphora, killers: list[Killer]) -> list[str]:
    """Live one life from create to delete with one kill in it; give the boundaries that were reached before it."""
    killer = Killer(number)
    killers[:] = [killer]
    bench.machines.boundary = killer.boundary
    restarter = asyncio.create_task(restart_when_struck(bench, killer))
    try:
        await live(bench, amphora)
    finally:
        if not killer.struck.is_set():
            restarter.cancel()
        await asyncio.wait([restarter])
        killer.armed = False
    return killer.reached


async def restart_when_struck(bench: Bench, killer: Killer) -> None:
    await killer.struck.wait()
    killer.armed = False
    await bench.stop()
    await bench.start()


async def live(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora, amphora.management, amphora.vip, amphora.tenant)
    await bench.order(amphora.boot(), amphora.configure(1))
    await until(lambda: configured(bench, amphora), lambda bundle: bundle == 1)
    await bench.order(amphora.configure(2, member(subnet_id=TENANT), with_tenant=True))
    await until(lambda: configured(bench, amphora), lambda bundle: bundle == 2)
    assert amphora.tenant.id in bench.machines.attached[amphora.id]
    await bench.order(amphora.configure(3))
    await until(lambda: configured(bench, amphora), lambda bundle: bundle == 3)
    await until(lambda: plugged(bench, amphora), lambda ports: ports == {amphora.management.id, amphora.vip.id})
    await bench.order(amphora.fence())
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "fenced")
    await bench.order(amphora.delete())
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "deleted")


async def configured(bench: Bench, amphora: Amphora) -> int:
    return max((getattr(event, "bundle", 0) for event in await bench.events(amphora)), default=0)


async def plugged(bench: Bench, amphora: Amphora) -> set[str]:
    return set(bench.machines.attached[amphora.id])


async def test_a_life_without_kills_has_these_boundaries(bench: Bench, append: list[Killer]) -> None:
    reached = await killed_at(10_000, bench, Amphora(), append)
    assert len(reached) == BOUNDARIES
    assert reached.count("before append") == 5
    effects = {"boot", "attach", "push", "append", "detach", "cut", "delete"}
    assert {name.partition(" ")[2] for name in reached} == effects


@pytest.mark.parametrize("number", range(1, BOUNDARIES + 1))
async def test_a_kill_there_changes_nothing_about_the_story(
    number: int, bench: Bench, amphora: Amphora, append: list[Killer]
) -> None:
    reached = await killed_at(number, bench, amphora, append)
    assert len(reached) == number
    assert await bench.types(amphora) == ["booted", *["configured"] * 3, "fenced", "deleted"]
    assert [event.bundle for event in (await bench.events(amphora))[1:4]] == [1, 2, 3]
    assert bench.machines.boots == [amphora.id]
    assert bench.machines.agents == {}
