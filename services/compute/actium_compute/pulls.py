"""
What an amphora gets that comes and asks: what it should run, and new credentials; and what it says became of the former.

The same wishes, and the same bytes, as are pushed. Who it is has been proven by its certificate; HTTP is in `gateway`.
"""

import logging
from collections.abc import Callable

import msgspec

from actium_compute.acquaintance import Acquaintances
from actium_compute.agents import Applied, Credentials, Refused
from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.configuring import Configuring
from actium_compute.facts import Facts, Stage
from actium_compute.fencing import nothing_at_all
from actium_compute.next_step import first_configuration
from actium_compute.read_model import queries
from actium_compute.renewing import KnownBy, Renewing
from actium_shared.errors import PermanentError
from actium_shared.read_model import Database

log = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bundle that was fetched. `result`: as of a push, or refused; `before` is the digest until then."""

    bundle: int
    epoch: int
    digest: str
    result: str
    reason: str = ""
    before: str = ""
    took_ms: float = 0.0


class StrangerError(Exception):
    """No amphora of ours, or not any more."""


class Pulls:
    """Each method may be called at any time, beside the amphora's worker, and again."""

    def __init__(
        self,
        *,
        configuring: Configuring,
        renewing: Renewing,
        database: Database,
        acquaintances: Acquaintances,
        wake: Callable[[str], None],
    ) -> None:
        self._configuring = configuring
        self._renewing = renewing
        self._database = database
        self._acquaintances = acquaintances
        self._wake = wake

    async def bundle(self, amphora_id: str, known_by: KnownBy) -> Bundle | None:
        """
        Give what it should run, None where nothing is known, or its worker is about to tell it.

        Raises:
            StrangerError: it is none of ours.
            RetryableError, VersionConflictError: not now.
        """
        facts = await self._facts(amphora_id, known_by)
        if facts.delete:
            return None
        if facts.fence or facts.stage is Stage.FENCED:
            return nothing_at_all(facts)
        wish = first_configuration(facts)
        if wish is None or not self._is_up(facts):
            return None
        try:
            return await self._configuring.prepare(facts, wish.order)
        except PermanentError as exc:
            log.info("nothing to fetch", extra={"amphora": amphora_id, "error": str(exc)})
            return None

    async def credentials(self, amphora_id: str, known_by: KnownBy) -> Credentials | None:
        """
        Give new ones where they are due. That it goes by them is recorded when it comes with them.

        Raises:
            StrangerError, RetryableError, VersionConflictError: as `bundle`.
        """
        facts = await self._facts(amphora_id, known_by)
        due = self._is_up(facts) and not (facts.fence or facts.delete) and self._renewing.is_due(facts)
        return self._renewing.offer(facts) if due else None

    async def outcome(self, amphora_id: str, known_by: KnownBy, outcome: Outcome) -> bool:
        """
        Record what became of a bundle; False where there is something newer to fetch.

        Raises:
            StrangerError, RetryableError, VersionConflictError: as `bundle`.
        """
        facts = await self._facts(amphora_id, known_by)
        if facts.fence or facts.delete or not self._is_up(facts):
            return True
        wish = first_configuration(facts)
        if wish is None or (outcome.epoch, outcome.bundle) != (wish.order.epoch, wish.order.bundle):
            return False
        log.info("fetched", extra={"amphora": amphora_id, "bundle": outcome.bundle, "result": outcome.result})
        answer = _answer(outcome)
        is_right = await self._configuring.record_pulled(facts, wish, answer, before=outcome.before)
        self._wake(amphora_id)  # what could not be pushed is done
        return is_right

    async def _facts(self, amphora_id: str, known_by: KnownBy) -> Facts:
        facts = await self._look(amphora_id)
        if self._is_up(facts) and _differs(facts, known_by):
            # It fetched new ones, or it was booted again with those of its first boot.
            await self._renewing.record(facts, known_by, order_id=f"pull/{amphora_id}")
            facts = await self._look(amphora_id)
        return facts

    async def _look(self, amphora_id: str) -> Facts:
        facts = await self._database.read(lambda connection: queries.facts(connection, amphora_id))
        if facts is None or facts.stage in (Stage.DELETED, Stage.FAILED):
            raise StrangerError(f"there is no amphora {amphora_id}")
        return facts

    def _is_up(self, facts: Facts) -> bool:
        """Tell whether it is not being booted: then it is told everything in the course of that."""
        return facts.stage is Stage.BOOTED and self._acquaintances.of(facts.amphora_id).runs


def _answer(outcome: Outcome) -> Applied | Refused:
    if outcome.result == "refused":
        return Refused(outcome.reason)
    return Applied(result=outcome.result, digest=outcome.digest, bundle=outcome.bundle, took_ms=outcome.took_ms)


def _differs(facts: Facts, known_by: KnownBy) -> bool:
    on_record = (facts.certificate_expires_at, facts.heartbeat_key_version, facts.credentials_edition)
    shown = (known_by.certificate_expires_at, known_by.heartbeat_key_version, known_by.credentials_edition)
    return shown != on_record
