"""What the events of appliances, amphorae and networks do to rows. No event of one stream relies on another stream's."""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.amphora_rows import (
    APPOINTED,
    BOOTED,
    CLEARED,
    DELETED,
    DISMISSED,
    FAILED,
    HANDED_OUT,
    HELD_BACK,
    JOINED,
    LOST,
    WAITING,
)
from actium_api.read_model.rows import Rows, seconds
from actium_api.read_model.tables import AMPHORAE, APPLIANCES, CARRIED, NETWORKS, PORTS, SPARES, VIPS
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraCertificateRenewed,
    AmphoraConfigured,
    AmphoraDeleted,
    AmphoraEvent,
)
from actium_shared.events.appliance import (
    AmphoraAppointed,
    AmphoraCleared,
    AmphoraDismissed,
    AmphoraJoined,
    ApplianceCreated,
    ApplianceRetired,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
)
from actium_shared.events.health import (
    AmphoraHeardAgain,
    AmphoraLossHeldBack,
    AmphoraLost,
    AmphoraRoleChanged,
    LivenessEvent,
)
from actium_shared.events.network import (
    Network,
    NetworkDiscovered,
    NetworkVanished,
    PortCreated,
    PortDeleted,
    VipReleased,
    VipReserved,
)
from actium_shared.events.spares import (
    SpareAppointed,
    SpareCleared,
    SpareDismissed,
    SpareHandedOut,
    SpareReady,
    SparesFailed,
    SparesSized,
)
from actium_shared.message import Event

ROLES = {"SINGLE": "STANDALONE"}


def apply(rows: Rows, recorded: Recorded) -> None:
    """Change the rows as this commit says; what the API does not show is passed over."""
    at = seconds(recorded.commit.decided_at)
    for event in recorded.commit.events:
        match recorded.aggregate:
            case "appliance":
                _apply_appliance(rows, event, at=at, sequence=recorded.position.sequence)
            case "spares":
                _apply_spares(rows, event, at=at)
            case "amphora":
                _apply_amphora(rows, event, at=at)
            case "liveness":
                _apply_liveness(rows, event)
            case "network" | "vip" | "port":
                _apply_network(rows, event)
            case _:
                return


def _apply_appliance(rows: Rows, event: Event, *, at: str, sequence: int) -> None:
    match event:
        case ApplianceCreated():
            _put(
                rows,
                APPLIANCES,
                {"id": event.appliance_id},
                {
                    "project_id": event.project_id,
                    "topology": event.topology,
                    "compute_flavor": event.flavor.get("compute_flavor"),
                },
            )
        case LoadBalancerAdmitted():
            key = {"appliance_id": event.appliance_id, "load_balancer_id": event.load_balancer_id}
            _put(rows, CARRIED, key, {"admitted": sequence})
            _touch_amphorae(rows, event.appliance_id)
        case LoadBalancerReleased():
            rows.connection.execute(
                sa.delete(CARRIED).where(
                    CARRIED.c.appliance_id == event.appliance_id, CARRIED.c.load_balancer_id == event.load_balancer_id
                )
            )
            _touch_amphorae(rows, event.appliance_id)
        case ApplianceRetired():
            rows.delete(CARRIED.c.appliance_id, [event.appliance_id])
            _touch_amphorae(rows, event.appliance_id)
        case AmphoraAppointed():
            planned = {
                "appliance_id": event.appliance_id,
                "planned_role": ROLES.get(event.role.upper(), event.role.upper()),
                "vip_port_id": event.vip_port_id,
            }
            came = {"stage": HANDED_OUT, "planned_at": at} if event.spare else {"stage": APPOINTED, "appointed_at": at}
            _put_amphora(rows, event.amphora_id, planned | came)
        case AmphoraJoined():
            _put_amphora(rows, event.amphora_id, {"stage": JOINED, "planned_at": at})
        case AmphoraDismissed():
            _put_amphora(rows, event.amphora_id, {"stage": DISMISSED, "planned_at": at})
        case AmphoraCleared():
            _put_amphora(rows, event.amphora_id, {"stage": CLEARED, "planned_at": at})
        case _:
            return


def _apply_spares(rows: Rows, event: Event, *, at: str) -> None:
    match event:
        case SparesSized(spares_id=spares_id):
            _put(rows, SPARES, {"id": spares_id}, _pool_values(event))
            _touch_amphorae(rows, spares_id)
        case SpareAppointed(spares_id=spares_id):
            planned = {"appliance_id": spares_id, "stage": APPOINTED, "appointed_at": at}
            _put_amphora(rows, event.amphora_id, planned)
        case SpareReady(spares_id=spares_id):
            _put_amphora(rows, event.amphora_id, {"stage": WAITING, "planned_at": at})
            rows.update(SPARES, spares_id, trouble=None, retry_at=None)
        case SpareHandedOut():
            handed = {"appliance_id": event.appliance_id, "stage": HANDED_OUT, "planned_at": at}
            _put_amphora(rows, event.amphora_id, handed)
        case SpareDismissed():
            _put_amphora(rows, event.amphora_id, {"stage": DISMISSED, "planned_at": at})
        case SpareCleared():
            _put_amphora(rows, event.amphora_id, {"stage": CLEARED, "planned_at": at})
        case SparesFailed(spares_id=spares_id):
            rows.update(SPARES, spares_id, trouble=event.reason, retry_at=seconds(event.retry_at))
        case _:
            return


def _pool_values(event: SparesSized) -> dict[str, object]:
    return {
        "size": event.size,
        "image_tag": event.image_tag,
        "flavor_id": event.flavor_id,
        "availability_zone": event.availability_zone,
        "compute_flavor": event.flavor.get("compute_flavor"),
        "compute_zone": event.availability_zone_data.get("compute_zone"),
    }


def _apply_amphora(rows: Rows, event: Event, *, at: str) -> None:
    match event:
        case AmphoraBooted():
            booted = {
                "machine": BOOTED,
                "machine_at": at,
                "booted_as": event.compute_id,
                "host": event.host,
                "image_tag": event.image_tag,
                "management_address": event.management_address,
                "certificate_expires_at": seconds(event.certificate_expires_at),
            }
            _note(rows, event, booted)
        case AmphoraConfigured():
            _note(rows, event, {"bundle": event.bundle, "epoch": event.epoch, "digest": event.digest})
        case AmphoraCertificateRenewed():
            _note(rows, event, {"certificate_expires_at": seconds(event.certificate_expires_at)})
        case AmphoraBootFailed():
            _note(rows, event, {"machine": FAILED, "machine_at": at})
        case AmphoraDeleted():
            _note(rows, event, {"machine": DELETED, "machine_at": at})
        case _:
            return


def _apply_liveness(rows: Rows, event: Event) -> None:
    match event:
        case AmphoraLost(reason=reason):
            _note(rows, event, {"verdict": LOST, "verdict_reason": reason})
        case AmphoraLossHeldBack(reason=reason):
            _note(rows, event, {"verdict": HELD_BACK, "verdict_reason": reason})
        case AmphoraHeardAgain():
            _note(rows, event, {"verdict": None, "verdict_reason": None})
        case AmphoraRoleChanged(role=role):
            _note(rows, event, {"vrrp_state": role.upper()})
        case _:
            return


def _apply_network(rows: Rows, event: Event) -> None:
    match event:
        case NetworkDiscovered(network=network):
            _put(rows, NETWORKS, {"id": network.id}, _network_values(network))
        case NetworkVanished(network_id=network_id):
            rows.delete(NETWORKS.c.id, [network_id])
        case VipReserved(vip=vip):
            values = {"project_id": event.project_id, **msgspec.structs.asdict(vip)}
            _put(rows, VIPS, {"load_balancer_id": event.load_balancer_id}, values)
        case VipReleased(load_balancer_id=load_balancer_id):
            rows.delete(VIPS.c.load_balancer_id, [load_balancer_id])
        case PortCreated(port=port):
            values = msgspec.structs.asdict(port) | {"amphora_id": event.amphora_id, "appliance_id": event.appliance_id}
            _put(rows, PORTS, {"id": port.id}, values)
            rows.touch(AMPHORAE, [event.amphora_id])
        case PortDeleted():
            rows.delete(PORTS.c.id, [event.port_id])
            rows.touch(AMPHORAE, [event.amphora_id])
        case _:
            return


def _network_values(network: Network) -> dict[str, object]:
    return {
        "name": network.name,
        "role": network.role,
        "mtu": network.mtu,
        "subnets": [msgspec.structs.asdict(subnet) for subnet in network.subnets],
    }


def _note(rows: Rows, event: AmphoraEvent | LivenessEvent, values: Mapping[str, object]) -> None:
    """Take over what others than the planner say. Whose an amphora is they only know from it: its word stands."""
    _put(rows, AMPHORAE, {"id": event.amphora_id}, values, new={"appliance_id": event.appliance_id})
    rows.touch(AMPHORAE, [event.amphora_id])


def _put_amphora(rows: Rows, amphora_id: str, values: Mapping[str, object]) -> None:
    _put(rows, AMPHORAE, {"id": amphora_id}, values)
    rows.touch(AMPHORAE, [amphora_id])


def _touch_amphorae(rows: Rows, appliance_id: str) -> None:
    rows.touch(AMPHORAE, rows.ids(AMPHORAE.c.appliance_id, [appliance_id]))


def _put(
    rows: Rows,
    table: sa.Table,
    key: Mapping[str, object],
    values: Mapping[str, object],
    *,
    new: Mapping[str, object] | None = None,
) -> None:
    """Change the row that has this key, or make it; `new` are more values of one that is made."""
    query = statements.update_by(*(table.c[name] for name in key))
    found_by = {f"key_{name}": value for name, value in key.items()}
    if rows.connection.execute(query, {**found_by, **values}).rowcount == 0:
        rows.connection.execute(statements.insert(table), {**key, **(new or {}), **values})
