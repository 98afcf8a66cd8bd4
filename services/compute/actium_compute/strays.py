"""Machines that nobody ordered, and what is left of some that were deleted: found and removed, and that is on the log."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from actium_compute.journal import Journal
from actium_compute.ports import Machine, Machines
from actium_compute.read_model import queries
from actium_shared.clock import Clock
from actium_shared.events.amphora import AmphoraStrayRemoved
from actium_shared.ids import AmphoraId
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

REMOVAL_TIMEOUT_S = 20.0


class Strays:
    """
    Removes what has been a stray for `grace_s`: so long it may be one whose order is on its way to us.

    Only `caught_up` tables tell strays: those that lag behind the log know less than was ordered.
    """

    def __init__(
        self,
        *,
        machines: Machines,
        journal: Journal,
        database: Database,
        clock: Clock,
        caught_up: Callable[[], Awaitable[bool]],
        grace_s: float,
    ) -> None:
        self._machines = machines
        self._journal = journal
        self._database = database
        self._clock = clock
        self._caught_up = caught_up
        self._grace_s = grace_s
        self._seen: dict[str, float] = {}

    async def look(self, running: Mapping[str, Machine]) -> None:
        """
        Remove those whose time is over, of what runs and of what else is found.

        Raises:
            RetryableError, VersionConflictError: not all of it; the next look goes on.
        """
        found = dict.fromkeys(await self._machines.leftovers(), "leftovers of a machine without a record")
        found |= {amphora_id: _words(machine) for amphora_id, machine in running.items()}
        unknown = found.keys() - set(await self._database.read(queries.unfinished))
        now = self._clock.monotonic()
        if new := sorted(unknown - self._seen.keys()):
            log.warning("machines that nobody ordered", extra={"amphorae": new})
        self._seen = {amphora_id: self._seen.get(amphora_id, now) for amphora_id in unknown}
        lapsed = sorted(each for each, since in self._seen.items() if now - since >= self._grace_s)
        if lapsed and await self._caught_up():
            for amphora_id in lapsed:
                await self._remove(AmphoraId(amphora_id), found[amphora_id])

    async def _remove(self, amphora_id: AmphoraId, found: str) -> None:
        if await self._is_wanted(amphora_id):
            return
        await self._machines.delete(amphora_id, timeout_s=REMOVAL_TIMEOUT_S)
        log.warning("stray removed", extra={"amphora": amphora_id, "found": found})
        if await self._is_wanted(amphora_id):
            return  # its order came in this moment, and makes it anew
        sequence = await self._database.read(lambda connection: queries.sequence_of(connection, amphora_id))
        await self._journal.append_stray(AmphoraStrayRemoved(amphora_id=amphora_id, found=found), expected=sequence)
        self._seen.pop(amphora_id, None)

    async def _is_wanted(self, amphora_id: AmphoraId) -> bool:
        return amphora_id in await self._database.read(queries.unfinished)


def _words(machine: Machine) -> str:
    return f"a machine on {machine.host or 'no host'}, switched {'on' if machine.powered else 'off'}"
