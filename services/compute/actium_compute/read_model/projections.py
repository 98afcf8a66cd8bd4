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
    AmphoraDrifted,
    AmphoraEvent,
    AmphoraFenced,
    AmphoraStrayRemoved,
)
from actium_shared.events.network import PortCreated, PortDeleted
from actium_shared.events.secret import SecretDeleted, SecretEvent, SecretStored
from actium_shared.message import Event

OWN = streams.events_of("compute")
NETWORK = streams.events_of("network")
NETWORK_SUBJECTS = (streams.event_subjects("network", "port"),)
"""What of it is read; of addresses, which are reserved while somebody waits, nothing is known here."""

READS: tuple[type[Event], ...] = (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraConfigured,
    AmphoraConfigurationRefused,
    AmphoraCertificateRenewed,
    AmphoraFenced,
    AmphoraDrifted,
    AmphoraDeleted,
    AmphoraStrayRemoved,
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
                values = {"appliance_id": event.appliance_id, "sequence": item.position.sequence}
                _update(connection, event.amphora_id, {**_changes(event), **values})
                touched.add(event.amphora_id)
                if isinstance(event, AmphoraDeleted):
                    _forget(connection, event.amphora_id)
            case AmphoraStrayRemoved(amphora_id=amphora_id):
                _update(connection, amphora_id, {"stage": Stage.DELETED, "sequence": item.position.sequence})
            case SecretEvent():
                _put_secret(connection, event, sequence=item.position.sequence)
                touched |= _users(connection, event.secret_ref)
            case PortCreated(amphora_id=amphora_id, appliance_id=appliance_id, port=port):
                _forget_port(connection, port.id)
                body = msgspec.msgpack.encode(port)
                rows.insert(connection, PORTS, {"port_id": port.id, "amphora_id": amphora_id, "body": body})
                touched |= {amphora_id, *_peers(connection, appliance_id)}
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
                "host": event.host,
                "heartbeat_key_version": event.heartbeat_key_version,
                "credentials_edition": event.credentials_edition,
            }
        case AmphoraCertificateRenewed(certificate_expires_at=expires_at):
            names = ("heartbeat_key_version", "credentials_edition")
            new = {name: getattr(event, name) for name in names if getattr(event, name)}
            return {"certificate_expires_at_epoch_s": int(expires_at.timestamp()), **new}
        case AmphoraBootFailed():
            return {"stage": Stage.FAILED}
        case AmphoraConfigured(bundle=bundle, digest=digest):
            return {"configured_bundle": bundle, "digest": digest}
        case AmphoraConfigurationRefused(bundle=bundle):
            return {"refused_bundle": bundle}
        case AmphoraFenced():
            return {"stage": Stage.FENCED}
        case AmphoraDeleted():
            return {"stage": Stage.DELETED}
        case _:
            return {}


def _update(connection: sa.Connection, amphora_id: str, values: dict[str, object]) -> None:
    if not rows.update(connection, AMPHORAE, values, amphora_id=amphora_id):
        new = {"amphora_id": amphora_id, "appliance_id": "", "stage": Stage.WISHED}
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
    if isinstance(event, SecretStored):
        _have_refused_tried_again(connection, event.secret_ref)


def _have_refused_tried_again(connection: sa.Connection, secret_ref: str) -> None:
    """What was refused may have been so for want of this secret, or for what was in it."""
    wanted = sa.select(SECRET_USES.c.amphora_id).where(
        SECRET_USES.c.secret_ref == secret_ref, SECRET_USES.c.purpose == "configure"
    )
    connection.execute(sa.update(AMPHORAE).where(AMPHORAE.c.amphora_id.in_(wanted)).values(refused_bundle=0))


def _peers(connection: sa.Connection, appliance_id: str) -> set[str]:
    """Give who may wait for a port of an amphora of this appliance: those that orders for the same one name."""
    return set(rows.find(connection, ORDERS, ORDERS.c.amphora_id, appliance_id=appliance_id).scalars())


def _users(connection: sa.Connection, secret_ref: str) -> set[str]:
    found = sa.select(SECRET_USES.c.amphora_id).where(SECRET_USES.c.secret_ref == secret_ref)
    return set(connection.scalars(found))


def _forget_port(connection: sa.Connection, port_id: str) -> None:
    rows.delete(connection, PORTS, port_id=port_id)
