"""
Looking after amphorae that nobody orders anything for: machines that died, certificates that end soon, what came to run
something else, and machines that should not be. No work on amphorae is done here, but for the last.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import sqlalchemy as sa

from actium_compute.acquaintance import Acquaintances
from actium_compute.ports import Machine, Machines
from actium_compute.read_model import queries
from actium_compute.strays import Strays
from actium_compute.workers import Workers
from actium_shared.clock import Clock
from actium_shared.errors import BrokenStoreError, RetryableError, VersionConflictError
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""A look is one walk through the machines, a few milliseconds of a thread."""

STRAYS_EVERY_S = 30.0
"""That is a walk through everything that has a name here, other worlds' too."""


class Watch:
    """Looks, and wakes the workers of those that need something."""

    def __init__(
        self,
        *,
        workers: Workers,
        strays: Strays,
        machines: Machines,
        database: Database,
        acquaintances: Acquaintances,
        clock: Clock,
        check_every_s: float,
        renew_before: timedelta,
    ) -> None:
        self._workers = workers
        self._strays = strays
        self._machines = machines
        self._database = database
        self._acquaintances = acquaintances
        self._clock = clock
        self._check_every_s = check_every_s
        self._renew_before = renew_before
        self._to_check: list[str] = []
        self._strays_at = clock.monotonic()

    async def run(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            await self._unless_unseen(self._look_at_machines)
            await self._unless_unseen(self._machines.tidy)
            await self._have_some_checked()
            for amphora_id in await self._database.read(self._soon_uncertified):
                self._workers.wake(amphora_id)

    async def _unless_unseen(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except BrokenStoreError:
            raise
        except (RetryableError, VersionConflictError) as exc:
            log.info("machines cannot be seen", extra={"error": str(exc)})
        except Exception:  # the next look may be luckier, and all else that is looked after must not wait for it
            log.exception("looking after machines fails")

    async def _look_at_machines(self) -> None:
        running = await self._machines.running()
        await self._look_for_the_dead(running)
        if self._clock.monotonic() >= self._strays_at:
            self._strays_at = self._clock.monotonic() + STRAYS_EVERY_S
            await self._strays.look(running)

    async def _look_for_the_dead(self, running: Mapping[str, Machine]) -> None:
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

    async def _have_some_checked(self) -> None:
        """Have a few of them asked what they run, so many that all are within the time that is set for it."""
        booted = await self._database.read(queries.booted)
        if not self._to_check:
            self._to_check = sorted(booted)
        some = math.ceil(len(booted) * LOOK_EVERY_S / self._check_every_s)
        for amphora_id in [self._to_check.pop() for _ in self._to_check[:some]]:
            self._acquaintances.of(amphora_id).checked = False
            self._workers.wake(amphora_id)

    def _soon_uncertified(self, connection: sa.Connection) -> frozenset[str]:
        return queries.certified_until(connection, self._clock.now() + self._renew_before)
