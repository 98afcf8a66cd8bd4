"""New credentials for an amphora: certificate, trusted authorities, heartbeat key; given to its agent, or fetched by it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from actium_compute.acquaintance import Acquaintances
from actium_compute.agents import Credentials
from actium_compute.booting import Provisions
from actium_compute.configuring import Configuring
from actium_compute.facts import Facts, Stored
from actium_compute.journal import Journal
from actium_compute.next_step import Terms, is_renewal_due
from actium_shared.clock import Clock
from actium_shared.commands.compute import BootAmphora
from actium_shared.errors import RetryableError
from actium_shared.events.amphora import AmphoraCertificateRenewed

OVERLAP_S = 0.3
"""From when the agent signs with the new key until that is recorded: what it signed before has arrived by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBy:
    """What an amphora goes by, as it shows in a TLS handshake and says itself."""

    certificate_expires_at: datetime
    heartbeat_key_version: int
    credentials_edition: int


class Renewing:
    """Each method may be repeated after a crash at any point."""

    def __init__(
        self,
        *,
        provisions: Provisions,
        configuring: Configuring,
        journal: Journal,
        acquaintances: Acquaintances,
        clock: Clock,
        renew_before: timedelta,
    ) -> None:
        self._provisions = provisions
        self._configuring = configuring
        self._journal = journal
        self._acquaintances = acquaintances
        self._clock = clock
        self._renew_before = renew_before

    def terms(self, amphora_id: str) -> Terms:
        """Give what holds for the amphora now."""
        keeps = self._acquaintances.of(amphora_id).keeps_authority
        edition = 0 if keeps else self._provisions.authority.edition.number
        return Terms(renew_before=self._renew_before, edition=edition)

    def is_due(self, facts: Facts) -> bool:
        return is_renewal_due(facts, self._clock.now(), self.terms(facts.amphora_id))

    def offer(self, facts: Facts) -> Credentials:
        """Give new ones; the same key as before where those were never taken."""
        authority = self._provisions.authority
        issued, version = authority.issue(facts.amphora_id), facts.heartbeat_key_version + 1
        return Credentials(
            pem=issued.pem,
            expires_at=issued.expires_at,
            ca=authority.certificate_pem,
            edition=authority.edition.number,
            heartbeat_key=self._provisions.heartbeat_key(facts.amphora_id, version),
            heartbeat_key_version=version,
        )

    async def renew(self, facts: Facts, order: Stored[BootAmphora]) -> None:
        """
        Give the agent new credentials, see that it goes by them, and record that.

        Until then its beats are believed by either key.

        Raises:
            RetryableError: not yet. Killed in between, we find at our next start what it shows.
        """
        agent = self._configuring.agent(facts)
        offered = self.offer(facts)
        taken = await agent.take_credentials(offered)
        await agent.status()
        if agent.certificate_expires_at != offered.expires_at:
            raise RetryableError(f"agent of {facts.amphora_id} shows another certificate than it was given")
        self._acquaintances.of(facts.amphora_id).keeps_authority = taken.credentials_edition != offered.edition
        known_by = KnownBy(
            certificate_expires_at=offered.expires_at,
            heartbeat_key_version=taken.heartbeat_key_version,
            credentials_edition=taken.credentials_edition,
        )
        await self.record(facts, known_by, order_id=order.order.order_id)

    async def record(self, facts: Facts, known_by: KnownBy, *, order_id: str) -> None:
        """
        Record what an amphora goes by now.

        Raises:
            RetryableError, VersionConflictError: as `Journal.append`.
        """
        await self._clock.sleep(OVERLAP_S)
        event = AmphoraCertificateRenewed(
            amphora_id=facts.amphora_id,
            appliance_id=facts.appliance_id,
            certificate_expires_at=known_by.certificate_expires_at,
            heartbeat_key_version=known_by.heartbeat_key_version,
            credentials_edition=known_by.credentials_edition,
        )
        await self._journal.append(facts, event, order_id=order_id)
