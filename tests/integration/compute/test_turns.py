"""Agents that hang hold up themselves only, however many there are."""

from actium_shared.clock import SystemClock
from integration.compute.bench import Amphora, Bench
from integration.compute.test_fences import PROMPTLY_S, Hanging


async def test_more_agents_that_hang_than_are_worked_on_at_once_delay_nobody_else(
    bench: Bench, amphora: Amphora
) -> None:
    hung = [Amphora() for _ in range(40)]
    for one in (amphora, *hung):
        await bench.ports(one)
        await bench.order(one.boot(), one.configure(1))
    for one in (amphora, *hung):
        await bench.until_types(one, "booted", "configured")
    for one in hung:
        bench.machines.agents[one.id].boundary = Hanging("before push")
    await bench.order(*(one.configure(2) for one in hung))
    began_at = SystemClock().monotonic()
    await bench.order(amphora.configure(2))
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert SystemClock().monotonic() - began_at < PROMPTLY_S
