"""What is asked of the table of secrets."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from actium_compute.facts import named_secrets
from actium_compute.read_model.tables import ORDERS, SECRET_USES, SECRETS
from actium_shared import rows
from actium_shared.codec import CODEC
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import ProjectId, SecretRef
from actium_shared.message import Message


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
    return known_of(connection, [ref]).get(ref)


def known_of(connection: sa.Connection, refs: Collection[SecretRef]) -> dict[SecretRef, KnownSecret]:
    """Give what the log knows of each, nothing of a reference that nothing was ever kept under."""
    found = connection.execute(sa.select(SECRETS).where(SECRETS.c.secret_ref.in_(refs)))
    return {
        SecretRef(row.secret_ref): KnownSecret(
            project_id=ProjectId(row.project_id), name=row.name, kind=row.kind, digest=row.digest, sequence=row.sequence
        )
        for row in found
    }


def users(connection: sa.Connection, ref: SecretRef) -> list[str]:
    """Give the load balancers whose newest configurations name the secret, whether amphorae took them or not."""
    used = sa.select(SECRET_USES.c.amphora_id, SECRET_USES.c.purpose).where(SECRET_USES.c.secret_ref == ref)
    named: set[str] = set()
    for amphora_id, purpose in connection.execute(used).all():
        order = rows.find(
            connection, ORDERS, ORDERS.c.type, ORDERS.c.version, ORDERS.c.body, amphora_id=amphora_id, purpose=purpose
        )
        for row in order:
            named |= _users_in(CODEC.decode(row.type, row.version, row.body), ref)
    return sorted(named)


def _users_in(order: Message, ref: SecretRef) -> set[str]:
    if not isinstance(order, ConfigureAmphora):
        return set()
    alone = (msgspec.structs.replace(order, load_balancers=(wish,)) for wish in order.load_balancers)
    return {each.load_balancers[0].load_balancer.id for each in alone if ref in named_secrets(each)}


def in_force(connection: sa.Connection) -> list[tuple[SecretRef, str]]:
    """Give every secret that is there, with the digest of its content."""
    there = sa.select(SECRETS.c.secret_ref, SECRETS.c.digest).where(SECRETS.c.digest.is_not(None))
    return [(SecretRef(row.secret_ref), row.digest) for row in connection.execute(there)]
