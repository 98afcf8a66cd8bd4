"""What the API shows of amphorae: put together from what planner, compute and network said, in whatever order they did."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.tables import AMPHORAE, APPLIANCES, CARRIED, LOAD_BALANCERS, PORTS, SPARES
from actium_shared.wishes import LoadBalancer

SHOWN = (
    "id",
    "loadbalancer_id",
    "compute_id",
    "lb_network_ip",
    "vrrp_ip",
    "ha_ip",
    "vrrp_port_id",
    "ha_port_id",
    "cert_expiration",
    "cert_busy",
    "role",
    "status",
    "vrrp_interface",
    "vrrp_id",
    "vrrp_priority",
    "cached_zone",
    "created_at",
    "updated_at",
    "image_id",
    "compute_flavor",
)
"""The fields of the reply, all of them columns."""

APPOINTED, JOINED, DISMISSED, CLEARED = "appointed", "joined", "dismissed", "cleared"
WAITING, HANDED_OUT = "waiting", "handed-out"
"""Of a spare; then it joins an appliance as the others do."""

BOOTED, FAILED, DELETED = "booted", "failed", "deleted"
LOST, HELD_BACK = "lost", "held-back"

PRIORITIES = {"MASTER": 254, "BACKUP": 253}
VRRP_INTERFACE, VRRP_ID = "vip0", 1
"""As the amphora driver calls them, in every amphora alike."""

_FIRST_CARRIED = (
    sa.select(CARRIED.c.load_balancer_id)
    .where(CARRIED.c.appliance_id == sa.bindparam("appliance"))
    .order_by(CARRIED.c.admitted)
    .limit(1)
)

_LOAD_BALANCER = msgspec.msgpack.Decoder(LoadBalancer)


def amphora_values(connection: sa.Connection, key: Mapping[str, Any], *, many: bool) -> list[dict[str, object]]:
    """Give the new values of these amphorae's shown columns; `key` is the id."""
    rows = connection.execute(statements.select(AMPHORAE.c.id, many), key).mappings().all()
    return [_values(connection, row) for row in rows]


def _values(connection: sa.Connection, row: sa.RowMapping) -> dict[str, object]:
    load_balancer = _oldest(connection, row["appliance_id"])
    home = _home(connection, row["appliance_id"])
    role = row["planned_role"]
    is_one_of_two = role in PRIORITIES
    values: dict[str, Any] = {
        **dict.fromkeys(SHOWN),
        "id": row["id"],
        "loadbalancer_id": load_balancer and load_balancer.id,
        "compute_id": row["booted_as"],
        "lb_network_ip": row["management_address"],
        "vrrp_ip": _scalar(connection, PORTS.c.address, PORTS.c.id, row["vip_port_id"]),
        "ha_ip": load_balancer and load_balancer.vip.address,
        "vrrp_port_id": row["vip_port_id"],
        "ha_port_id": load_balancer and load_balancer.vip.port_id,
        "cert_expiration": row["certificate_expires_at"],
        "cert_busy": False,
        "role": role,
        "status": _status(row),
        "vrrp_interface": VRRP_INTERFACE if is_one_of_two else None,
        "vrrp_id": VRRP_ID if role else None,
        "vrrp_priority": PRIORITIES.get(role),
        "cached_zone": _zone(load_balancer) or home.get("compute_zone"),
        "created_at": row["appointed_at"],
        "updated_at": max(filter(None, (row["planned_at"], row["machine_at"])), default=None),
        "image_id": row["image_tag"],
        "compute_flavor": home.get("compute_flavor"),
    }
    hidden = row["stage"] in (None, CLEARED)
    body = None if hidden else msgspec.json.encode({name: values[name] for name in SHOWN})
    return {name: values[name] for name in SHOWN if name != "id"} | {
        "key": row["id"],
        "project_id": home.get("project_id"),
        "body": body,
    }


def _status(row: Mapping[Any, Any]) -> str:
    if row["stage"] == CLEARED:
        return "DELETED"
    if row["stage"] == DISMISSED:
        return "PENDING_DELETE"
    if row["machine"] == FAILED or row["verdict"] == LOST:
        return "ERROR"
    if row["verdict"] == HELD_BACK:
        return "FAILOVER_STOPPED"
    return {JOINED: "ALLOCATED", WAITING: "READY", HANDED_OUT: "PENDING_UPDATE"}.get(row["stage"], "BOOTING")


def _oldest(connection: sa.Connection, appliance_id: str) -> LoadBalancer | None:
    """Give the load balancer that the appliance has carried longest."""
    oldest = connection.scalar(_FIRST_CARRIED, {"appliance": appliance_id})
    wish = _scalar(connection, LOAD_BALANCERS.c.wish, LOAD_BALANCERS.c.id, oldest)
    return None if wish is None else _LOAD_BALANCER.decode(wish)


def _home(connection: sa.Connection, appliance_id: str) -> Mapping[Any, Any]:
    """Give the row of the appliance that an amphora belongs to, or of the pool that it waits in."""
    for table in (APPLIANCES, SPARES):
        found = connection.execute(statements.select(table.c.id, False), {"key": appliance_id}).mappings().first()
        if found is not None:
            return found
    return {}


def _zone(load_balancer: LoadBalancer | None) -> object:
    return load_balancer and load_balancer.availability_zone_data.get("compute_zone")


def _scalar(connection: sa.Connection, wanted: sa.Column[Any], by: sa.Column[Any], key: str | None) -> Any:
    return connection.scalar(statements.select(by, False, wanted), {"key": key})
