"""Ports in the world: the driver's calls with their deadlines and repeats."""

import logging
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from actium_network.ports import NetworkDriver, PortWish
from actium_shared.clock import Clock
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.network import Port

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.1
RETRY_MOST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMaker:
    """Makes and removes ports: `timeout_s` for each call, `tries` to make one."""

    driver: NetworkDriver
    clock: Clock
    timeout_s: float
    tries: int

    async def make(self, port: Port) -> str | None:
        """Make the port; give None when it stands, else, for people, why it does not."""
        wish = PortWish(
            port_id=port.id,
            network_id=port.network_id,
            mac=port.mac,
            address=port.address,
            prefix_length=port.prefix_length,
        )
        try:
            await self._create(wish)
        except (RetryableError, PermanentError) as exc:
            log.warning("port cannot be made", extra={"port_id": port.id, "error": str(exc)})
            return str(exc)
        return None

    async def _create(self, wish: PortWish) -> None:
        try:
            await self.driver.create_port(wish, timeout_s=self.timeout_s)
        except RetryableError:
            if self.tries == 1:
                raise
        else:
            return  # as nearly always: what repeats takes longer to be set up than many a port
        await self.clock.sleep(RETRY_FIRST_S)
        tries = AsyncRetrying(
            retry=retry_if_exception_type(RetryableError),
            stop=stop_after_attempt(self.tries - 1),
            wait=wait_exponential(2 * RETRY_FIRST_S, max=RETRY_MOST_S),
            sleep=self.clock.sleep,
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                await self.driver.create_port(wish, timeout_s=self.timeout_s)

    async def remove(self, port_id: str) -> None:
        """
        Remove the port, made, half-made or not there.

        Raises:
            RetryableError: not in time; it has to be tried again.
        """
        await self.driver.delete_port(port_id, timeout_s=self.timeout_s)

    async def standing(self) -> set[str]:
        """Give the ids of the ports that exist in the world."""
        return set(await self.driver.ports())
