"""Looking after amphorae that nobody orders anything for: machines that died, certificates that end soon. No work is done here."""

import logging

import sqlalchemy as sa

from actium_compute.acquaintance import Acquaintances
from actium_compute.next_step import RENEW_BEFORE
from actium_compute.ports import Machines
from actium_compute.read_model import queries
from actium_compute.workers import Workers
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""A look is one walk through the machines, a few milliseconds of a thread."""


class Watch:
    """Looks, and wakes the workers of those that need something."""

    def __init__(
        self, workers: Workers, machines: Machines, database: Database, acquaintances: Acquaintances, clock: Clock
    ) -> None:
        self._workers = workers
        self._machines = machines
        self._database = database
        self._acquaintances = acquaintances
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                await self._look_for_the_dead()
            except RetryableError as exc:
                log.info("machines cannot be seen", extra={"error": str(exc)})
            for amphora_id in await self._database.read(self._soon_uncertified):
                self._workers.wake(amphora_id)

    async def _look_for_the_dead(self) -> None:
        running = await self._machines.running()
        for amphora_id in sorted(await self._database.read(queries.booted)):
            machine = running.get(amphora_id)
            if (machine is None or not machine.powered) and await self._is_dead(amphora_id):
                known = self._acquaintances.of(amphora_id)
                if known.runs:
                    log.warning("machine is off and booted again", extra={"amphora": amphora_id})
                known.runs = False
                self._workers.wake(amphora_id)

    async def _is_dead(self, amphora_id: str) -> bool:
        # Looked at again: its boot or its deletion may just have been under way.
        if self._workers.is_busy(amphora_id) or await self._machines.power(amphora_id):
            return False
        booted = await self._database.read(queries.booted)
        return amphora_id in booted and not self._workers.is_busy(amphora_id)

    def _soon_uncertified(self, connection: sa.Connection) -> frozenset[str]:
        return queries.certified_until(connection, self._clock.now() + RENEW_BEFORE)
