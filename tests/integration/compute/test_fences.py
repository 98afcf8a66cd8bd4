"""Fences: at once, whatever else is under way, for good, and never forgotten."""

import asyncio
import time

from actium_shared.clock import SystemClock
from integration.compute.bench import Amphora, Bench, until

PROMPTLY_S = 2.0
"""A push that hangs would take ten seconds; a fence takes a few milliseconds, on a machine that is not busy."""


class Hanging:
    """Effects that never end, once they have begun; the names of those are given."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.began = asyncio.Event()

    async def __call__(self, name: str) -> None:
        if name in self.names:
            self.began.set()
            await asyncio.Event().wait()


async def test_a_fence_cuts_the_links_and_is_recorded(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "booted", "configured", "fenced")
    assert bench.machines.cut == [amphora.id]
    (*_, commit) = await bench.commits(amphora)
    assert commit.commit.cause.order_id == amphora.fence().order_id
    assert commit.commit.events[0].appliance_id == amphora.appliance_id


async def test_a_fence_does_not_wait_for_a_push_to_a_dead_agent(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    bench.machines.boundary = hanging = Hanging("before push")
    await bench.order(amphora.configure(2))
    await hanging.began.wait()
    began_at = SystemClock().monotonic()
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "booted", "configured", "fenced")
    assert SystemClock().monotonic() - began_at < PROMPTLY_S
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "fenced", "deleted")
    assert SystemClock().monotonic() - began_at < 2 * PROMPTLY_S


async def test_a_deletion_does_not_wait_for_a_push_to_a_dead_agent(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    bench.machines.boundary = hanging = Hanging("before push")
    await bench.order(amphora.configure(2))
    await hanging.began.wait()
    began_at = SystemClock().monotonic()
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "deleted")
    assert SystemClock().monotonic() - began_at < PROMPTLY_S


async def test_a_fence_does_not_wait_for_many_others_pushes(bench: Bench, amphora: Amphora) -> None:
    others = [Amphora() for _ in range(36)]  # more than are worked on at once
    for one in (amphora, *others):
        await bench.ports(one)
        await bench.order(one.boot(), one.configure(1))
    for one in (amphora, *others):
        await bench.until_types(one, "booted", "configured")
    bench.machines.boundary = Hanging("before push")
    await bench.order(*(one.configure(2) for one in others))
    began_at = SystemClock().monotonic()
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "booted", "configured", "fenced")
    assert SystemClock().monotonic() - began_at < PROMPTLY_S


async def test_once_fenced_nothing_is_done_with_it_but_its_deletion(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "booted", "configured", "fenced")
    await bench.order(amphora.configure(2), amphora.boot(), amphora.fence())
    await bench.stop()
    await bench.machines.lose_all()
    await bench.start()
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "fenced", "deleted")
    assert bench.machines.boots == [amphora.id]
    assert bench.machines.cut == [amphora.id]


async def test_a_fence_around_nothing_is_recorded(bench: Bench, amphora: Amphora) -> None:
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "fenced")
    await bench.ports(amphora)
    await bench.order(amphora.boot(), amphora.delete())
    await bench.until_types(amphora, "fenced", "deleted")
    assert bench.machines.boots == []


async def test_one_that_is_booting_is_fenced_and_does_not_come(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora)
    bench.machines.boundary = hanging = Hanging("after boot")
    await bench.order(amphora.boot(), amphora.configure(1))
    await hanging.began.wait()
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "fenced")
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "fenced", "deleted")
    assert bench.machines.agents == {}


async def test_where_links_cannot_be_cut_the_agent_is_told_to_and_it_is_tried_until_they_are(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    bench.machines.cannot_cut = True
    await bench.order(amphora.fence())
    agent = bench.machines.agents[amphora.id]
    await until(lambda: _flags(agent.pushes[-1]), lambda flags: flags["fence"])
    assert agent.pushes[-1]["files"] == {}
    assert await bench.types(amphora) == ["booted", "configured"]
    bench.machines.cannot_cut = False
    await bench.until_types(amphora, "booted", "configured", "fenced")


async def test_a_fence_that_was_cut_off_is_done_at_the_next_start(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    bench.machines.cannot_cut = True
    await bench.order(amphora.fence())
    agent = bench.machines.agents[amphora.id]
    await until(lambda: _flags(agent.pushes[-1]), lambda flags: flags["fence"])
    await bench.stop()
    bench.machines.cannot_cut = False
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "fenced")


async def test_from_order_to_record_takes_milliseconds(bench: Bench) -> None:
    took_s = []
    for _ in range(5):
        one = Amphora()
        await bench.serving(one)
        began_at = time.monotonic()
        await bench.order(one.fence())
        await bench.until_types(one, "booted", "configured", "fenced")
        took_s.append(time.monotonic() - began_at)
    print("fences took", [f"{1000 * each:.0f} ms" for each in took_s])
    assert min(took_s) < 0.2


async def _flags(push: dict[str, object]) -> object:
    return push["flags"]
