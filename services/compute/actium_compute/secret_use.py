"""Reading secrets in order to use them: what a configuration needs, and whether what a tenant names can be used at all."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from actium_compute.ports import Secret, SecretStore
from actium_compute.secret_content import refusal
from actium_shared.commands.compute import CheckSecrets, ConfigureAmphora, SecretKind, SecretUse
from actium_shared.errors import PermanentError
from actium_shared.ids import ProjectId, SecretRef
from actium_shared.message import Accepted, Position, Reason, Rejected

log = logging.getLogger(__name__)

Owner = Callable[[SecretRef], Awaitable[ProjectId | None]]
"""Gives whose a secret is, None where the store itself sees to it that nobody reads what is not his."""


class SecretUnusableError(PermanentError):
    """It can be read, and must not be used so."""


class Secrets:
    """A store as load balancers may use it: each project its own."""

    def __init__(self, store: SecretStore, owner: Owner) -> None:
        self._store = store
        self._owner = owner

    async def of(self, order: ConfigureAmphora, refs: Iterable[SecretRef]) -> Mapping[SecretRef, Secret]:
        """
        Give the secrets that a configuration needs.

        Raises:
            RetryableError: the store does not answer.
            PermanentError: one is not there, cannot be understood, or is another project's; the message names it.
        """
        projects = {wish.load_balancer.project_id for wish in order.load_balancers}
        return {ref: await self._read(ref, projects) for ref in sorted(refs)}

    async def check(self, command: CheckSecrets, *, position: Position) -> Accepted | Rejected:
        """
        Say whether these can be used so.

        Raises:
            RetryableError: the store does not answer, so nobody knows.
        """
        refusals = [
            (use.field, words) for use in command.uses if (words := await self._refusal(use, command.project_id))
        ]
        if not refusals:
            return Accepted(position=position)
        detail = " ".join(f"{field}: {words}." for field, words in refusals)
        return Rejected(reason=Reason.INVALID, detail=detail, field=refusals[0][0])

    async def _refusal(self, use: SecretUse, project_id: ProjectId) -> str:
        if use.purpose not in tuple(SecretKind):
            return f"{use.purpose!r} is nothing that a secret can be wanted for"
        ref = use.secret_ref
        try:
            secret = await self._read(ref, {project_id})
            ca = await self._read(ref := use.ca_ref, {project_id}) if use.ca_ref else None
        except PermanentError as exc:
            log.info("secret refused", extra={"secret": ref, "field": use.field, "error": str(exc)})
            return str(exc)
        words = refusal(secret, SecretKind(use.purpose), ca=ca)
        return f"secret {use.secret_ref} cannot be used: {words}" if words else ""

    async def _read(self, ref: SecretRef, projects: set[ProjectId]) -> Secret:
        owner = await self._owner(ref)
        if owner is not None and owner not in projects:
            raise SecretUnusableError(f"secret {ref} belongs to another project")
        return await self._store.read(ref)
