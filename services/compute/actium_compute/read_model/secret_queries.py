"""What is asked of the table of secrets."""

from dataclasses import dataclass

import sqlalchemy as sa

from actium_compute.read_model.tables import SECRETS
from actium_shared.ids import ProjectId, SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSecret:
    """What the log knows of one; `digest` is None where it was deleted."""

    project_id: ProjectId
    name: str
    kind: str
    digest: str | None
    sequence: int


def known(connection: sa.Connection, ref: SecretRef) -> KnownSecret | None:
    """Give what the log knows, None of a reference that nothing was ever kept under."""
    row = connection.execute(sa.select(SECRETS).where(SECRETS.c.secret_ref == ref)).first()
    if row is None:
        return None
    return KnownSecret(
        project_id=ProjectId(row.project_id), name=row.name, kind=row.kind, digest=row.digest, sequence=row.sequence
    )


def in_force(connection: sa.Connection) -> list[tuple[SecretRef, str]]:
    """Give every secret that is there, with the digest of its content."""
    there = sa.select(SECRETS.c.secret_ref, SECRETS.c.digest).where(SECRETS.c.digest.is_not(None))
    return [(SecretRef(row.secret_ref), row.digest) for row in connection.execute(there)]
