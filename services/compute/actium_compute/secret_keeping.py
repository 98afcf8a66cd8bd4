"""Keeping secrets when asked: into the store first, then onto the log, which alone says what is in force."""

import asyncio
import logging

import msgspec

from actium_compute.adapters.local_secrets import LocalSecretStore
from actium_compute.journal import Journal
from actium_compute.read_model import secret_queries
from actium_compute.read_model.projections import OWN
from actium_compute.read_model.secret_queries import KnownSecret
from actium_compute.secret_content import ContentError, Read, read
from actium_shared import sealing
from actium_shared.bus import Question
from actium_shared.commands.compute import DeleteSecret, PutSecret, SealingKey, SecretCommand, sealing_context
from actium_shared.events.secret import SecretDeleted, SecretEvent, SecretStored
from actium_shared.ids import SecretRef
from actium_shared.message import Accepted, CommandCause, Position, Reason, Rejected
from actium_shared.read_model import Database
from actium_shared.sealing import CannotOpenError

log = logging.getLogger(__name__)

REF_MOST_CHARACTERS = 255
NAME_MOST_CHARACTERS = 255


class SecretKeeper:
    """One at a time: that is rare enough, and the last one in wins."""

    def __init__(self, *, store: LocalSecretStore, journal: Journal, database: Database) -> None:
        self._store = store
        self._journal = journal
        self._database = database
        self._one = asyncio.Lock()

    async def tidy(self) -> None:
        """Remove what is in force no more, and what was kept in the moment when somebody killed us."""
        self._store.keep_only(await self._database.read(secret_queries.in_force))

    def sealing_key(self) -> SealingKey:
        return SealingKey(public_key=sealing.public_key(self._store.sealing_key))

    async def put(self, question: Question, command: PutSecret) -> Accepted | Rejected:
        """Keep what is in the box; the same under the same reference again changes nothing."""
        if refused := _wrong_text(command):
            return refused
        context = sealing_context(command.project_id, command.secret_ref)
        try:
            content = sealing.open_box(command.sealed, self._store.sealing_key, context=context)
            found = await asyncio.to_thread(read, content, command.kind)
        except CannotOpenError as exc:
            return Rejected(reason=Reason.UNAVAILABLE, detail=f"{exc}; seal it anew", field="sealed")
        except ContentError as exc:
            return Rejected(reason=Reason.INVALID, detail=f"The content cannot be used: {exc}.", field="content")
        async with self._one:
            return await self._put(question, command, found)

    async def _put(self, question: Question, command: PutSecret, found: Read) -> Accepted | Rejected:
        known = await self._known(command.secret_ref)
        if known and known.digest and (refused := _wrong_place(command, known, found)):
            return refused
        event = SecretStored(
            secret_ref=command.secret_ref,
            project_id=command.project_id,
            name=command.name,
            kind=found.kind,
            digest=self._store.digest(found.secret),
            expires_at=found.expires_at,
        )
        # Also where nothing changes for the log: the content itself may have been lost.
        await asyncio.to_thread(self._store.put, command.secret_ref, found.secret)
        if known and (known.digest, known.name) == (event.digest, event.name):
            return Accepted(position=Position(OWN, known.sequence))
        accepted = await self._append(question, event, known)
        log.info("secret kept", extra={"secret": event.secret_ref, "kind": event.kind, "digest": event.digest[:8]})
        return accepted

    async def delete(self, question: Question, command: DeleteSecret) -> Accepted | Rejected:
        """Forget it; once it is deleted, again changes nothing."""
        async with self._one:
            known = await self._known(command.secret_ref)
            if known is None or known.project_id != command.project_id:
                detail = f"There is no secret {command.secret_ref}."
                return Rejected(reason=Reason.NOT_FOUND, detail=detail, field="secret_ref")
            if known.digest is None:
                return Accepted(position=Position(OWN, known.sequence))
            if command.unless_used and (refused := await self._in_use(command.secret_ref)):
                return refused
            accepted = await self._append(question, SecretDeleted(secret_ref=command.secret_ref), known)
            log.info("secret deleted", extra={"secret": command.secret_ref})
            return accepted

    async def _known(self, ref: SecretRef) -> KnownSecret | None:
        return await self._database.read(lambda connection: secret_queries.known(connection, ref))

    async def _in_use(self, ref: SecretRef) -> Rejected | None:
        users = await self._database.read(lambda connection: secret_queries.users(connection, ref))
        if not users:
            return None
        detail = f"Secret {ref} is in use by load balancer {', '.join(users)}."
        return Rejected(reason=Reason.CONFLICT, detail=detail, field="secret_ref")

    async def _append(self, question: Question, event: SecretEvent, known: KnownSecret | None) -> Accepted:
        cause = CommandCause(command=_recordable(question), actor=question.envelope.actor)
        position = await self._journal.append_secret(
            event.secret_ref,
            event,
            cause=cause,
            expected=known.sequence if known else 0,
            deadline=question.deadline,
        )
        # Only after the event nobody needs the content before it; killed in between, the next start tidies.
        if known and known.digest and known.digest != getattr(event, "digest", None):
            await asyncio.to_thread(self._store.remove, event.secret_ref, known.digest)
        return Accepted(position=position)


def _recordable(question: Question) -> SecretCommand:
    command = question.command
    assert isinstance(command, SecretCommand)
    return msgspec.structs.replace(command, sealed=b"") if isinstance(command, PutSecret) else command


def _wrong_text(command: PutSecret) -> Rejected | None:
    for field, text, least, most in (
        ("secret_ref", command.secret_ref, 1, REF_MOST_CHARACTERS),
        ("name", command.name, 0, NAME_MOST_CHARACTERS),
    ):
        if not (least <= len(text) <= most and text.isprintable()):
            detail = f"{field} must be {least} to {most} printable characters."
            return Rejected(reason=Reason.INVALID, detail=detail, field=field)
    return None


def _wrong_place(command: PutSecret, known: KnownSecret, found: Read) -> Rejected | None:
    if known.project_id != command.project_id:
        detail = f"Secret {command.secret_ref} belongs to another project, {known.project_id}."
        return Rejected(reason=Reason.CONFLICT, detail=detail, field="project_id")
    if known.kind != found.kind:
        detail = f"Secret {command.secret_ref} is of kind {known.kind}, and {found.kind} cannot take its place."
        return Rejected(reason=Reason.CONFLICT, detail=detail, field="kind")
    return None
