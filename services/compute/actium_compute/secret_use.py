"""Reading secrets in order to use them: what a configuration needs, and whether what a tenant names can be used at all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from actium_compute.ports import Secret, SecretStore
from actium_compute.read_model.secret_queries import KnownSecret
from actium_compute.secret_content import of_another_kind, refusal
from actium_shared.commands.compute import CheckSecrets, ConfigureAmphora, SecretKind, SecretUse
from actium_shared.errors import PermanentError
from actium_shared.ids import ProjectId, SecretRef
from actium_shared.message import Accepted, Position, Reason, Rejected

log = logging.getLogger(__name__)

KnownSecrets = Callable[[Collection[SecretRef]], Awaitable[Mapping[SecretRef, KnownSecret]]]
"""Gives what the log tells of secrets; nothing of those in a store that sees by itself to who reads what."""

Found = Mapping[SecretRef, Secret | PermanentError]


class Secrets:
    """A store as load balancers may use it: each project its own."""

    def __init__(self, store: SecretStore, known: KnownSecrets) -> None:
        self._store = store
        self._known = known

    async def of(self, order: ConfigureAmphora, refs: Iterable[SecretRef]) -> Mapping[SecretRef, Secret]:
        """
        Give the secrets that a configuration needs.

        Raises:
            RetryableError: the store does not answer.
            PermanentError: one is not there, cannot be understood, or is another project's; the message names it.
        """
        wanted = sorted(refs)
        if not wanted:
            return {}
        projects = {wish.load_balancer.project_id for wish in order.load_balancers}
        found, _ = await self._find(wanted, projects)
        return {ref: _usable(found[ref]) for ref in wanted}

    async def check(self, command: CheckSecrets, *, position: Position) -> Accepted | Rejected:
        """
        Say whether these can be used so.

        Raises:
            RetryableError: the store does not answer, so nobody knows.
        """
        refs = {ref for use in command.uses for ref in (use.secret_ref, use.ca_ref) if ref is not None}
        found, known = await self._find(refs, {command.project_id})
        # In a thread: keys and signatures take a while.
        refusals = await asyncio.to_thread(_refusals, command.uses, found, known)
        if not refusals:
            return Accepted(position=position)
        detail = " ".join(f"{field}: {words}." for field, words in refusals)
        return Rejected(reason=Reason.INVALID, detail=detail, field=refusals[0][0])

    async def _find(
        self, refs: Collection[SecretRef], projects: Collection[ProjectId]
    ) -> tuple[Found, Mapping[SecretRef, KnownSecret]]:
        known = await self._known(refs)
        foreign = {ref for ref, secret in known.items() if secret.project_id not in projects}
        # As where there is none: who guesses at another's references learns nothing.
        hidden = {ref: PermanentError(f"there is no secret {ref}") for ref in foreign}
        return {**await self._store.read([ref for ref in refs if ref not in foreign]), **hidden}, known


def _usable(found: Secret | PermanentError) -> Secret:
    if isinstance(found, PermanentError):
        raise found
    return found


def _refusals(uses: Iterable[SecretUse], found: Found, known: Mapping[SecretRef, KnownSecret]) -> list[tuple[str, str]]:
    """Give the fields that name what cannot be used so, with the words for it."""
    return [(use.field, words) for use in uses if (words := _refusal(use, found, known))]


def _refusal(use: SecretUse, found: Found, known: Mapping[SecretRef, KnownSecret]) -> str:
    if use.purpose not in tuple(SecretKind):
        return f"{use.purpose!r} is nothing that a secret can be wanted for"
    kind, ref = SecretKind(use.purpose), use.secret_ref
    secret, ca = found[ref], found[use.ca_ref] if use.ca_ref else None
    for each, content in ((ref, secret), (use.ca_ref, ca)):
        if isinstance(content, PermanentError):
            log.info("secret refused", extra={"secret": each, "field": use.field, "error": str(content)})
            return str(content)
    assert isinstance(secret, Secret)
    assert not isinstance(ca, PermanentError)
    is_understood = ref in known and ca is None  # it was, when it was put: its kind is all that is left to see
    words = of_another_kind(known[ref].kind, kind) if is_understood else refusal(secret, kind, ca=ca)
    return f"secret {ref} cannot be used: {words}" if words else ""
