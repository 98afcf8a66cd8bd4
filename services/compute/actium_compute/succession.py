"""
One authority follows another: each step is taken when all amphorae have taken the one before. What the steps are is in
`editions`; amphorae are given theirs by their workers, as with every renewal.
"""

import asyncio
import logging

import sqlalchemy as sa

from actium_compute.acquaintance import Acquaintances
from actium_compute.authority import Authority
from actium_compute.editions import Edition, Phase
from actium_compute.journal import Journal
from actium_compute.read_model import queries
from actium_compute.workers import Workers
from actium_shared.bus import Question
from actium_shared.clock import Clock
from actium_shared.commands.compute import AuthorityReplacement, ReplaceAuthority
from actium_shared.errors import RetryableError, VersionConflictError
from actium_shared.events.authority import AuthorityTurned
from actium_shared.message import Cause, CommandCause, Reason, Rejected, WorkCause
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

AUTHORITY = "amphorae"
"""The only one that there is."""

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
        journal: Journal,
        clock: Clock,
        possible: bool,
    ) -> None:
        self._authority = authority
        self._workers = workers
        self._database = database
        self._acquaintances = acquaintances
        self._journal = journal
        self._clock = clock
        self._possible = possible
        self._booting_before_us: frozenset[str] = frozenset()
        self._waiting_for: list[str] = []
        self._telling = asyncio.Lock()
        self._told: tuple[int, str] | None = None
        self._sequence = 0

    async def begin(self, question: Question, command: ReplaceAuthority) -> AuthorityReplacement | Rejected:
        """
        Begin unless it is under way, and say how far it is once the log does.

        Raises:
            RetryableError: it is begun, and not on the log yet.
        """
        if command.authority != AUTHORITY:
            detail = f"authority must be {AUTHORITY}, and is {command.authority!r}."
            return Rejected(reason=Reason.INVALID, detail=detail, field="authority")
        if not self._possible:
            detail = "The amphorae of this world are certified by nobody: there is no authority to be replaced."
            return Rejected(reason=Reason.UNSUPPORTED, detail=detail)
        if self._authority.replace(reason=command.reason, asked_by=question.envelope.actor):
            log.warning("authority is being replaced", extra=self.status())
            await self._wake()
        await self._tell()
        return AuthorityReplacement(
            edition=self._authority.edition.number,
            phase=self._authority.edition.phase,
            waiting_for=len(await self._behind()),
        )

    async def run(self) -> None:
        self._booting_before_us = await self._database.read(queries.not_booted)
        while True:
            try:
                await self._tell()  # each step before the next is taken
                if self._authority.edition.phase is not Phase.SETTLED:
                    await self._look()
                    await self._tell()
            except (RetryableError, VersionConflictError) as exc:
                log.warning("the log is not told yet what became of the authority", extra={"error": str(exc)})
                self._told = None
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

    async def _tell(self) -> None:
        """Have the log say what is in force: the folder comes first, so a kill in between is made good here."""
        async with self._telling:
            edition = self._authority.edition
            if self._told is None:
                event, self._sequence = await self._journal.authority_told()
                first = Edition()
                self._told = (event.edition, event.phase) if event else (first.number, str(first.phase))
            now = (edition.number, str(edition.phase))
            if now == self._told:
                return
            turned = AuthorityTurned(authority=AUTHORITY, edition=now[0], phase=now[1], reason=edition.reason)
            position = await self._journal.append_authority(turned, cause=_cause(edition), expected=self._sequence)
            self._told, self._sequence = now, position.sequence

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


def _cause(edition: Edition) -> Cause:
    """Give who began it, of the first step; the others follow from all amphorae's having taken the one before."""
    if edition.phase is Phase.INTRODUCING and edition.asked_by is not None:
        return CommandCause(command=ReplaceAuthority(reason=edition.reason), actor=edition.asked_by)
    return WorkCause(order_id=f"{ReplaceAuthority.TYPE}/{edition.number}")
