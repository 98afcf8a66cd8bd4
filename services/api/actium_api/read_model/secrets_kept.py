"""What is known of secrets, for operators: the rows that compute's events make, and who uses each. Never their content."""

from collections import defaultdict
from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.rows import Rows, seconds
from actium_api.read_model.tables import LISTENERS, LOAD_BALANCERS, POOLS, SECRETS
from actium_shared.event_store import Recorded
from actium_shared.events.secret import SecretDeleted, SecretStored
from actium_shared.wishes import Listener, Pool

_DECODERS: Mapping[sa.Table, msgspec.msgpack.Decoder[Listener] | msgspec.msgpack.Decoder[Pool]] = {
    LISTENERS: msgspec.msgpack.Decoder(Listener),
    POOLS: msgspec.msgpack.Decoder(Pool),
}


class LoadBalancerName(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A load balancer as people know it."""

    name: str
    id: str


class KeptSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret. `expires_at`, UTC: when its certificate ends, or the next CRL is due."""

    ref: str
    name: str
    kind: str
    project_id: str
    digest: str
    expires_at: str | None
    stored_at: str
    used_by: tuple[LoadBalancerName, ...] = ()


def apply(rows: Rows, recorded: Recorded) -> None:
    """Change the rows as this commit says."""
    for event in recorded.commit.events:
        match event:
            case SecretStored():
                _put(rows, event, at=seconds(recorded.commit.decided_at))
            case SecretDeleted():
                rows.delete(SECRETS.c.ref, [event.secret_ref])
            case _:
                pass  # of a newer version


def _put(rows: Rows, event: SecretStored, *, at: str) -> None:
    rows.delete(SECRETS.c.ref, [event.secret_ref])
    values = {
        "ref": event.secret_ref,
        "name": event.name,
        "kind": event.kind,
        "project_id": event.project_id,
        "digest": event.digest,
        "expires_at": event.expires_at and seconds(event.expires_at),
        "stored_at": at,
    }
    rows.connection.execute(statements.insert(SECRETS), values)


def kept(connection: sa.Connection) -> list[KeptSecret]:
    """Give all of them, by name."""
    using = _users(connection)
    rows = connection.execute(sa.select(SECRETS).order_by(SECRETS.c.name, SECRETS.c.ref)).mappings()
    return [_kept(row, using) for row in rows]


def find(connection: sa.Connection, ref: str) -> KeptSecret | None:
    """Give one, None where there is none."""
    row = connection.execute(sa.select(SECRETS).where(SECRETS.c.ref == ref)).mappings().first()
    return _kept(row, _users(connection)) if row is not None else None


Users = Mapping[str, set[LoadBalancerName]]


def _kept(row: sa.RowMapping, using: Users) -> KeptSecret:
    return KeptSecret(**row, used_by=tuple(sorted(using.get(row["ref"], ()))))


def _users(connection: sa.Connection) -> Users:
    """Give by reference who names it. Read from the wishes each time: it is asked rarely, and few wishes name any."""
    listener, pool = LISTENERS.c, POOLS.c
    named = (
        (LISTENERS, sa.or_(listener.protocol == "TERMINATED_HTTPS", listener.default_tls_container_ref != "")),
        (POOLS, sa.or_(pool.tls_container_ref != "", pool.ca_tls_container_ref != "")),
    )
    using: defaultdict[str, set[LoadBalancerName]] = defaultdict(set)
    for table, may_name in named:
        load_balancer = LOAD_BALANCERS.c.id == table.c.load_balancer_id
        wanted = sa.select(table.c.wish, LOAD_BALANCERS.c.id, LOAD_BALANCERS.c.name).join(LOAD_BALANCERS, load_balancer)
        for wish, load_balancer_id, name in connection.execute(wanted.where(may_name)):
            for ref in _DECODERS[table].decode(wish).secret_refs:
                using[ref].add(LoadBalancerName(id=load_balancer_id, name=name))
    return using
