"""Events to rows: compute's own, and the network's ports. No IO but the connection."""

import msgspec
import sqlalchemy as sa

from actium_compute.facts import Stage
from actium_compute.read_model.tables import AMPHORAE, ATTACHMENTS, ORDERS, PORTS, SECRET_USES, SECRETS
from actium_shared import rows, streams
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraCertificateRenewed,
    AmphoraConfigurationRefused,
    AmphoraConfigured,
    AmphoraDeleted,
    AmphoraEvent,
)
from actium_shared.events.network import PortCreated, PortDeleted
from actium_shared.events.secret import SecretDeleted, SecretEvent, SecretStored
from actium_shared.message import Event

OWN = streams.events_of("compute")
NETWORK = streams.events_of("network")

READS: tuple[type[Event], ...] = (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraConfigured,
    AmphoraConfigurationRefused,
    AmphoraCertificateRenewed,
    AmphoraDeleted,
    SecretStored,
    SecretDeleted,
    PortCreated,
    PortDeleted,
)
"""The events that this service understands; all others pass by."""


def project(connection: sa.Connection, item: Recorded) -> frozenset[str]:
    """Apply one commit and give the amphorae that it is about."""
    touched: set[str] = set()
    for event in item.commit.events:
        match event:
            case AmphoraEvent():
                _update(connection, event, {**_changes(event), "sequence": item.position.sequence})
                touched.add(event.amphora_id)
                if isinstance(event, AmphoraDeleted):
                    _forget(connection, event.amphora_id)
            case SecretEvent():
                _put_secret(connection, event, sequence=item.position.sequence)
                touched |= _users(connection, event.secret_ref)
            case PortCreated(amphora_id=amphora_id, port=port):
                _forget_port(connection, port.id)
                body = msgspec.msgpack.encode(port)
                rows.insert(connection, PORTS, {"port_id": port.id, "amphora_id": amphora_id, "body": body})
                touched.add(amphora_id)
            case PortDeleted(port_id=port_id):
                _forget_port(connection, port_id)
            case _:
                pass  # the network's stream tells more than matters here
    return frozenset(touched)


def _changes(event: AmphoraEvent) -> dict[str, object]:
    match event:
        case AmphoraBooted():
            return {
                "stage": Stage.BOOTED,
                "image_tag": event.image_tag,
                "management_address": event.management_address,
                "certificate_expires_at_epoch_s": int(event.certificate_expires_at.timestamp()),
            }
        case AmphoraCertificateRenewed(certificate_expires_at=expires_at):
            return {"certificate_expires_at_epoch_s": int(expires_at.timestamp())}
        case AmphoraBootFailed():
            return {"stage": Stage.FAILED}
        case AmphoraConfigured(bundle=bundle, digest=digest):
            return {"configured_bundle": bundle, "digest": digest}
        case AmphoraConfigurationRefused(bundle=bundle):
            return {"refused_bundle": bundle}
        case AmphoraDeleted():
            return {"stage": Stage.DELETED}
        case _:
            return {}


def _update(connection: sa.Connection, event: AmphoraEvent, values: dict[str, object]) -> None:
    if not rows.update(connection, AMPHORAE, values, amphora_id=event.amphora_id):
        new = {"amphora_id": event.amphora_id, "appliance_id": event.appliance_id, "stage": Stage.WISHED}
        rows.insert(connection, AMPHORAE, {**new, **values})


def _forget(connection: sa.Connection, amphora_id: str) -> None:
    # The row itself stays: it is what makes late orders recognisable as such.
    for table in (ORDERS, ATTACHMENTS, SECRET_USES):
        rows.delete(connection, table, amphora_id=amphora_id)


def _put_secret(connection: sa.Connection, event: SecretEvent, *, sequence: int) -> None:
    values: dict[str, object] = {"sequence": sequence}
    match event:
        case SecretStored():
            values |= {"project_id": event.project_id, "name": event.name, "kind": event.kind, "digest": event.digest}
        case SecretDeleted():
            values |= {"digest": None}
    of = SECRETS.c.secret_ref == event.secret_ref
    if not connection.execute(sa.update(SECRETS).where(of).values(values)).rowcount:
        connection.execute(sa.insert(SECRETS).values(secret_ref=event.secret_ref, **values))


def _users(connection: sa.Connection, secret_ref: str) -> set[str]:
    found = sa.select(SECRET_USES.c.amphora_id).where(SECRET_USES.c.secret_ref == secret_ref)
    return set(connection.scalars(found))


def _forget_port(connection: sa.Connection, port_id: str) -> None:
    rows.delete(connection, PORTS, port_id=port_id)
