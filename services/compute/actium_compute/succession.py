"""
One authority follows another: each step is taken when all amphorae have taken the one before. What the steps are is in
`editions`; amphorae are given theirs by their workers, as with every renewal.
"""

import logging

import sqlalchemy as sa

from actium_compute.acquaintance import Acquaintances
from actium_compute.authority import Authority
from actium_compute.editions import Phase
from actium_compute.read_model import queries
from actium_compute.workers import Workers
from actium_shared.clock import Clock
from actium_shared.commands.compute import AuthorityReplacement
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
NAMED_MOST = 20
"""Amphorae that are waited for, in the status."""


class Succession:
    """Begins when it is asked to, and goes on after a restart."""

    def __init__(
        self,
        *,
        authority: Authority,
        workers: Workers,
        database: Database,
        acquaintances: Acquaintances,
        clock: Clock,
        possible: bool,
    ) -> None:
        self._authority = authority
        self._workers = workers
        self._database = database
        self._acquaintances = acquaintances
        self._clock = clock
        self._possible = possible
        self._booting_before_us: frozenset[str] = frozenset()
        self._waiting_for: list[str] = []

    async def begin(self) -> AuthorityReplacement:
        """Begin unless it is under way, and tell how far it is."""
        if self._possible and self._authority.replace():
            log.warning("authority is being replaced", extra=self.status())
            await self._wake()
        return AuthorityReplacement(
            edition=self._authority.edition.number,
            phase=self._authority.edition.phase,
            waiting_for=len(await self._behind()),
        )

    async def run(self) -> None:
        self._booting_before_us = await self._database.read(queries.not_booted)
        while True:
            if self._authority.edition.phase is not Phase.SETTLED:
                await self._look()
            await self._clock.sleep(LOOK_EVERY_S)

    def status(self) -> dict[str, object]:
        edition = self._authority.edition
        return {
            "authority_edition": edition.number,
            "authority_phase": str(edition.phase),
            "authority_waits_for": self._waiting_for[:NAMED_MOST],
        }

    async def _look(self) -> None:
        self._waiting_for = await self._behind()
        if not self._waiting_for:
            self._authority.advance()
            log.warning("authority is being replaced: next step", extra=self.status())
        await self._wake()

    async def _wake(self) -> None:
        for amphora_id in await self._behind():
            self._workers.wake(amphora_id)

    async def _behind(self) -> list[str]:
        if self._authority.edition.phase is Phase.SETTLED:
            return []
        return sorted(await self._database.read(self._find_behind))

    def _find_behind(self, connection: sa.Connection) -> frozenset[str]:
        number = self._authority.edition.number
        booting = (each for each in queries.not_booted(connection) if self._may_be_behind(each, number))
        return queries.behind_edition(connection, number).union(booting)

    def _may_be_behind(self, amphora_id: str, number: int) -> bool:
        """Tell whether an amphora that is being booted may have been given an older edition."""
        given = self._acquaintances.of(amphora_id).given_edition
        return 0 < given < number or (given == 0 and amphora_id in self._booting_before_us)
