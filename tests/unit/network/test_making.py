"""A port is made at once, or a little later, or not: so often is it tried, and so long is waited between."""

from typing import Any, cast

import pytest

from actium_network.making import PortMaker
from actium_network.ports import NetworkDriver, PortWish
from actium_shared.clock import SystemClock
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.network import Port
from actium_shared.ids import NetworkId, PortId, SubnetId

PORT = Port(
    id=PortId("p"),
    network_id=NetworkId("n"),
    subnet_id=SubnetId("s"),
    address="10.0.0.1",
    prefix_length=24,
    mac="fa:16:3e:00:00:01",
    mtu=1500,
)


class Stubborn:
    """A driver that fails so often before it makes a port."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def create_port(self, _wish: PortWish, **_how: Any) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)


class Patient(SystemClock):
    """Time that passes as soon as somebody waits for it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def made(driver: Stubborn, *, tries: int = 4) -> tuple[str | None, int, list[float]]:
    clock = Patient()
    maker = PortMaker(driver=cast("NetworkDriver", driver), clock=clock, timeout_s=1.0, tries=tries)
    return await maker.make(PORT), driver.asked, clock.slept


async def test_a_port_is_made_at_once() -> None:
    assert await made(Stubborn()) == (None, 1, [])


@pytest.mark.parametrize(("failures", "slept"), [(1, [0.1]), (2, [0.1, 0.2]), (3, [0.1, 0.2, 0.4])])
async def test_what_fails_for_now_is_tried_again_later_and_later(failures: int, slept: list[float]) -> None:
    driver = Stubborn(*(RetryableError("not now") for _ in range(failures)))
    assert await made(driver) == (None, failures + 1, slept)


@pytest.mark.parametrize("tries", [1, 2, 4])
async def test_it_is_given_up_after_so_many_tries(tries: int) -> None:
    driver = Stubborn(*(RetryableError(f"not now, {number}") for number in range(1, 9)))
    why, asked, slept = await made(driver, tries=tries)
    assert (why, asked, len(slept)) == (f"not now, {tries}", tries, tries - 1)


async def test_what_is_refused_is_not_asked_for_again() -> None:
    assert await made(Stubborn(RetryableError("not now"), PermanentError("never"))) == ("never", 2, [0.1])
    assert await made(Stubborn(PermanentError("never"))) == ("never", 1, [])
