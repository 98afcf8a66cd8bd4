"""What is asked of the tables, and what is written to them besides events: orders, and which ports are plugged in."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_compute.facts import Facts, Stage, Stored, named_secrets, peer_ports
from actium_compute.read_model.tables import AMPHORAE, ATTACHMENTS, ORDERS, PORTS, SECRET_USES
from actium_shared import rows
from actium_shared.codec import CODEC
from actium_shared.commands.compute import AmphoraOrder, BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.errors import UnreadableError
from actium_shared.events.network import Port
from actium_shared.ids import AmphoraId, ApplianceId, PortId


class Purpose(StrEnum):
    BOOT = "boot"
    CONFIGURE = "configure"
    FENCE = "fence"
    DELETE = "delete"
    APPLIED = "applied"


_PURPOSES: dict[type[AmphoraOrder], Purpose] = {
    BootAmphora: Purpose.BOOT,
    ConfigureAmphora: Purpose.CONFIGURE,
    FenceAmphora: Purpose.FENCE,
    DeleteAmphora: Purpose.DELETE,
}


def put_order(connection: sa.Connection, stored: Stored[AmphoraOrder]) -> bool:
    """Keep an order and give True, unless it comes too late to matter: after a newer one, or after the end."""
    order = stored.order
    purpose = _PURPOSES[type(order)]
    stage = rows.find(connection, AMPHORAE, AMPHORAE.c.stage, amphora_id=order.amphora_id).scalar()
    if stage == Stage.DELETED or _number_of(connection, order.amphora_id, purpose) >= _number(order):
        return False
    if _is_ending(connection, order.amphora_id, stage) and not isinstance(order, DeleteAmphora):
        return False
    _replace_order(connection, purpose, stored)
    return True


def put_applied(connection: sa.Connection, stored: Stored[ConfigureAmphora]) -> None:
    """Keep what the agent took."""
    _replace_order(connection, Purpose.APPLIED, stored)


def _is_ending(connection: sa.Connection, amphora_id: str, stage: str | None) -> bool:
    """Tell whether nothing but deletion comes any more."""
    last_orders = (Purpose.DELETE, Purpose.FENCE)
    return stage == Stage.FENCED or any(_number_of(connection, amphora_id, last) > NEVER for last in last_orders)


NEVER = (0, 0)
"""Before every order's number."""


def _number(order: AmphoraOrder) -> tuple[int, int]:
    return (order.epoch, order.bundle) if isinstance(order, ConfigureAmphora) else (1, 1)


def _number_of(connection: sa.Connection, amphora_id: str, purpose: Purpose) -> tuple[int, int]:
    number = (ORDERS.c.epoch, ORDERS.c.bundle)
    row = rows.find(connection, ORDERS, *number, amphora_id=amphora_id, purpose=purpose).first()
    return (row.epoch, row.bundle) if row else NEVER


def _replace_order(connection: sa.Connection, purpose: Purpose, stored: Stored[AmphoraOrder]) -> None:
    order = stored.order
    epoch, bundle = _number(order)
    rows.delete(connection, ORDERS, amphora_id=order.amphora_id, purpose=purpose)
    values = {
        "amphora_id": order.amphora_id,
        "purpose": purpose,
        "epoch": epoch,
        "bundle": bundle,
        "type": order.TYPE,
        "version": order.VERSION,
        "body": CODEC.encode(order),
        "correlation_id": stored.correlation_id,
        "traceparent": stored.traceparent,
        "received_at_epoch_s": stored.received_at.timestamp(),
        "appliance_id": order.appliance_id,
    }
    rows.insert(connection, ORDERS, values)
    if isinstance(order, ConfigureAmphora):
        _replace_secret_uses(connection, purpose, order)


def _replace_secret_uses(connection: sa.Connection, purpose: Purpose, order: ConfigureAmphora) -> None:
    rows.delete(connection, SECRET_USES, amphora_id=order.amphora_id, purpose=purpose)
    uses = [
        {"amphora_id": order.amphora_id, "purpose": purpose, "secret_ref": ref} for ref in sorted(named_secrets(order))
    ]
    rows.insert(connection, SECRET_USES, uses)


def facts(connection: sa.Connection, amphora_id: str) -> Facts | None:
    """Give all that is known of an amphora, None for one that nobody ever named."""
    row = rows.find(connection, AMPHORAE, amphora_id=amphora_id).mappings().first()
    orders = {
        Purpose(item["purpose"]): _stored(item)
        for item in rows.find(connection, ORDERS, amphora_id=amphora_id).mappings()
    }
    if row is None and not orders:
        return None
    newest = max(orders.values(), key=lambda stored: stored.received_at, default=None)
    appliance_id = newest.order.appliance_id if newest else row["appliance_id"] if row else ""
    configurations = [orders[purpose].order for purpose in (Purpose.CONFIGURE, Purpose.APPLIED) if purpose in orders]
    return Facts(
        amphora_id=AmphoraId(amphora_id),
        appliance_id=ApplianceId(appliance_id),
        boot=orders.get(Purpose.BOOT),
        configure=orders.get(Purpose.CONFIGURE),
        fence=orders.get(Purpose.FENCE),
        delete=orders.get(Purpose.DELETE),
        applied=orders.get(Purpose.APPLIED),
        ports=_ports(connection, amphora_id, frozenset[PortId]().union(*map(peer_ports, configurations))),
        attached=_attached(connection, amphora_id),
        **(_recorded(row) if row else {}),
    )


def _recorded(row: Any) -> dict[str, Any]:
    expires_at_epoch_s = row["certificate_expires_at_epoch_s"]
    return {
        "stage": Stage(row["stage"]),
        "sequence": row["sequence"],
        "image_tag": row["image_tag"],
        "management_address": row["management_address"],
        "certificate_expires_at": datetime.fromtimestamp(expires_at_epoch_s, UTC) if expires_at_epoch_s else None,
        "configured_bundle": row["configured_bundle"],
        "refused_bundle": row["refused_bundle"],
        "digest": row["digest"],
        "heartbeat_key_version": row["heartbeat_key_version"],
        "credentials_edition": row["credentials_edition"],
    }


def _stored(row: Any) -> Stored[Any]:
    order = CODEC.decode(row["type"], row["version"], row["body"])
    if not isinstance(order, AmphoraOrder):
        raise UnreadableError(f"{row['type']} is not an order for an amphora")
    return Stored(
        order=order,
        correlation_id=row["correlation_id"],
        traceparent=row["traceparent"],
        received_at=datetime.fromtimestamp(row["received_at_epoch_s"], UTC),
    )


def _ports(connection: sa.Connection, amphora_id: str, peers: Collection[PortId]) -> dict[PortId, Port]:
    bodies = [
        *rows.find(connection, PORTS, PORTS.c.body, amphora_id=amphora_id).scalars(),
        *(body for each in peers for body in rows.find(connection, PORTS, PORTS.c.body, port_id=each).scalars()),
    ]
    ports = [msgspec.msgpack.decode(body, type=Port) for body in bodies]
    return {port.id: port for port in ports}


def _attached(connection: sa.Connection, amphora_id: str) -> frozenset[PortId]:
    found = rows.find(connection, ATTACHMENTS, ATTACHMENTS.c.port_id, amphora_id=amphora_id).scalars()
    return frozenset(PortId(port_id) for port_id in found)


def add_attachments(connection: sa.Connection, amphora_id: str, port_ids: Iterable[str]) -> None:
    port_ids = list(port_ids)
    remove_attachments(connection, amphora_id, port_ids)
    rows.insert(connection, ATTACHMENTS, [{"amphora_id": amphora_id, "port_id": port_id} for port_id in port_ids])


def remove_attachments(connection: sa.Connection, amphora_id: str, port_ids: Iterable[str]) -> None:
    for port_id in port_ids:
        rows.delete(connection, ATTACHMENTS, amphora_id=amphora_id, port_id=port_id)


def unfinished(connection: sa.Connection) -> list[str]:
    """Give the amphorae that exist or shall."""
    known = connection.scalars(sa.select(AMPHORAE.c.amphora_id).where(AMPHORAE.c.stage != Stage.DELETED))
    ordered = connection.scalars(sa.select(ORDERS.c.amphora_id).distinct())
    return sorted({*known, *ordered})


def booted(connection: sa.Connection) -> frozenset[str]:
    """Give the amphorae that should be running, by the log."""
    return frozenset(connection.scalars(sa.select(AMPHORAE.c.amphora_id).where(AMPHORAE.c.stage == Stage.BOOTED)))


def unfenced(connection: sa.Connection) -> frozenset[str]:
    """Give the amphorae that shall be fenced and are not, by the log."""
    ordered = sa.select(ORDERS.c.amphora_id).where(ORDERS.c.purpose == Purpose.FENCE)
    ended = sa.select(AMPHORAE.c.amphora_id).where(AMPHORAE.c.stage.in_((Stage.FENCED, Stage.DELETED)))
    return frozenset(connection.scalars(ordered)) - frozenset(connection.scalars(ended))


def serving(connection: sa.Connection, appliance_id: str) -> frozenset[str]:
    """Give the amphorae that orders for this appliance name, or its events did last."""
    ordered = connection.scalars(sa.select(ORDERS.c.amphora_id).where(ORDERS.c.appliance_id == appliance_id))
    of = (AMPHORAE.c.appliance_id == appliance_id, AMPHORAE.c.stage != Stage.DELETED)
    return frozenset({*ordered, *connection.scalars(sa.select(AMPHORAE.c.amphora_id).where(*of))})


def hosts_of(connection: sa.Connection, amphora_ids: Collection[str]) -> frozenset[str]:
    """Give the hosts that these amphorae are on."""
    found = (rows.find(connection, AMPHORAE, AMPHORAE.c.host, amphora_id=each).scalar() for each in amphora_ids)
    return frozenset(host for host in found if host)


def sequence_of(connection: sa.Connection, amphora_id: str) -> int:
    """Give what the next append about it expects."""
    return int(rows.find(connection, AMPHORAE, AMPHORAE.c.sequence, amphora_id=amphora_id).scalar() or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Enough of an amphora to see whether it lives; `address` is None before it booted."""

    stage: Stage
    address: str | None


def whereabouts(connection: sa.Connection, amphora_id: str) -> Whereabouts | None:
    """Give them, None for an amphora that the log does not know."""
    row = rows.find(
        connection, AMPHORAE, AMPHORAE.c.stage, AMPHORAE.c.management_address, amphora_id=amphora_id
    ).first()
    return Whereabouts(stage=Stage(row.stage), address=row.management_address) if row else None


def certified_until(connection: sa.Connection, end: datetime) -> frozenset[str]:
    """Give the booted amphorae whose certificates end before."""
    ends = AMPHORAE.c.certificate_expires_at_epoch_s < end.timestamp()
    return frozenset(connection.scalars(sa.select(AMPHORAE.c.amphora_id).where(AMPHORAE.c.stage == Stage.BOOTED, ends)))


def behind_edition(connection: sa.Connection, edition: int) -> frozenset[str]:
    """Give the booted amphorae that have not taken this edition of credentials."""
    older = AMPHORAE.c.credentials_edition < edition
    return frozenset(
        connection.scalars(sa.select(AMPHORAE.c.amphora_id).where(AMPHORAE.c.stage == Stage.BOOTED, older))
    )


def not_booted(connection: sa.Connection) -> frozenset[str]:
    """Give the amphorae that shall boot and have not, by the log; their machines may be there already."""
    ended = sa.select(AMPHORAE.c.amphora_id).where(AMPHORAE.c.stage != Stage.WISHED)
    last = sa.select(ORDERS.c.amphora_id).where(ORDERS.c.purpose.in_((Purpose.DELETE, Purpose.FENCE)))
    ordered = sa.select(ORDERS.c.amphora_id).where(
        ORDERS.c.purpose == Purpose.BOOT, ORDERS.c.amphora_id.not_in(ended), ORDERS.c.amphora_id.not_in(last)
    )
    return frozenset(connection.scalars(ordered))


def count_by_stage(connection: sa.Connection) -> dict[str, int]:
    """Give how many amphorae are at each stage, the deleted left out."""
    counts = connection.execute(
        sa.select(AMPHORAE.c.stage, sa.func.count()).where(AMPHORAE.c.stage != Stage.DELETED).group_by(AMPHORAE.c.stage)
    )
    return {str(stage): int(count) for stage, count in counts}
