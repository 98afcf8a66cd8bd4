"""What the API shows of amphorae: put together from what planner, compute and network said, in whatever order they did."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.tables import AMPHORAE, APPLIANCES, CARRIED, LOAD_BALANCERS, PORTS
from actium_shared.wishes import LoadBalancer, Vip

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
BOOTED, FAILED, DELETED = "booted", "failed", "deleted"

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
    load_balancer_id, vip = _oldest(connection, row["appliance_id"])
    vrrp_ip = _scalar(connection, PORTS.c.address, PORTS.c.id, row["vip_port_id"])
    values: dict[str, Any] = {
        **dict.fromkeys(SHOWN),
        "id": row["id"],
        "loadbalancer_id": load_balancer_id,
        "compute_id": row["booted_as"],
        "lb_network_ip": row["management_address"],
        "vrrp_ip": vrrp_ip,
        "ha_ip": vip and vip.address,
        "vrrp_port_id": row["vip_port_id"],
        "ha_port_id": vip and vip.port_id,
        "cert_expiration": row["certificate_expires_at"],
        "cert_busy": False,
        "role": row["planned_role"],
        "status": _status(row),
        "vrrp_id": 1,
        "created_at": row["appointed_at"],
        "updated_at": max(filter(None, (row["planned_at"], row["machine_at"])), default=None),
    }
    hidden = row["stage"] in (None, CLEARED)
    body = None if hidden else msgspec.json.encode({name: values[name] for name in SHOWN})
    project_id = _scalar(connection, APPLIANCES.c.project_id, APPLIANCES.c.id, row["appliance_id"])
    return {name: values[name] for name in SHOWN if name != "id"} | {
        "key": row["id"],
        "project_id": project_id,
        "body": body,
    }


def _status(row: Mapping[Any, Any]) -> str:
    if row["stage"] == CLEARED:
        return "DELETED"
    if row["stage"] == DISMISSED:
        return "PENDING_DELETE"
    if row["machine"] == FAILED:
        return "ERROR"
    return "ALLOCATED" if row["stage"] == JOINED else "BOOTING"


def _oldest(connection: sa.Connection, appliance_id: str) -> tuple[str | None, Vip | None]:
    """Give the load balancer that the appliance has carried longest, and its address."""
    oldest = connection.scalar(_FIRST_CARRIED, {"appliance": appliance_id})
    wish = _scalar(connection, LOAD_BALANCERS.c.wish, LOAD_BALANCERS.c.id, oldest)
    return oldest, None if wish is None else _LOAD_BALANCER.decode(wish).vip


def _scalar(connection: sa.Connection, wanted: sa.Column[Any], by: sa.Column[Any], key: str | None) -> Any:
    return connection.scalar(statements.select(by, False, wanted), {"key": key})
