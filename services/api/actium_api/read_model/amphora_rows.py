"""What the API shows of amphorae: put together from what planner, compute and network said, in whatever order they did."""

from collections.abc import Mapping
from functools import cache
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

_OLDEST = (
    sa.select(CARRIED.c.load_balancer_id)
    .where(CARRIED.c.appliance_id == AMPHORAE.c.appliance_id)
    .order_by(CARRIED.c.admitted)
    .limit(1)
    .scalar_subquery()
)
"""The load balancer that the appliance has carried longest."""

_LOAD_BALANCER = msgspec.msgpack.Decoder(LoadBalancer)


def amphora_values(connection: sa.Connection, key: Mapping[str, Any], *, many: bool) -> list[dict[str, object]]:
    """Give the new values of these amphorae's shown columns; `key` is the id."""
    return [_values(row) for row in connection.execute(_all_that_is_known(many), key).mappings()]


@cache
def _all_that_is_known(many: bool) -> sa.Select[Any]:
    """Give what the rows are made of, in one statement: the amphora, what it carries, its port, and where it belongs."""
    return (
        sa.select(
            AMPHORAE,
            LOAD_BALANCERS.c.wish.label("oldest_wish"),
            PORTS.c.address.label("vip_port_address"),
            APPLIANCES.c.id.label("home"),
            APPLIANCES.c.project_id.label("home_project_id"),
            APPLIANCES.c.compute_flavor.label("home_flavor"),
            SPARES.c.compute_flavor.label("pool_flavor"),
            SPARES.c.compute_zone.label("pool_zone"),
        )
        .select_from(AMPHORAE)
        .outerjoin(LOAD_BALANCERS, LOAD_BALANCERS.c.id == _OLDEST)
        .outerjoin(PORTS, PORTS.c.id == AMPHORAE.c.vip_port_id)
        .outerjoin(APPLIANCES, APPLIANCES.c.id == AMPHORAE.c.appliance_id)
        .outerjoin(SPARES, SPARES.c.id == AMPHORAE.c.appliance_id)
        .where(statements.among(AMPHORAE.c.id, many))
    )


def _values(row: sa.RowMapping) -> dict[str, object]:
    load_balancer = None if row["oldest_wish"] is None else _LOAD_BALANCER.decode(row["oldest_wish"])
    in_appliance = row["home"] is not None  # else in a pool, if that is known yet
    role = row["planned_role"]
    is_one_of_two = role in PRIORITIES
    values: dict[str, Any] = {
        **dict.fromkeys(SHOWN),
        "id": row["id"],
        "loadbalancer_id": load_balancer and load_balancer.id,
        "compute_id": row["booted_as"],
        "lb_network_ip": row["management_address"],
        "vrrp_ip": row["vip_port_address"],
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
        "cached_zone": _zone(load_balancer) or (None if in_appliance else row["pool_zone"]),
        "created_at": row["appointed_at"],
        "updated_at": max(filter(None, (row["planned_at"], row["machine_at"])), default=None),
        "image_id": row["image_tag"],
        "compute_flavor": row["home_flavor"] if in_appliance else row["pool_flavor"],
    }
    hidden = row["stage"] in (None, CLEARED)
    body = None if hidden else msgspec.json.encode({name: values[name] for name in SHOWN})
    return {name: values[name] for name in SHOWN if name != "id"} | {
        "key": row["id"],
        "project_id": row["home_project_id"],
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


def _zone(load_balancer: LoadBalancer | None) -> object:
    return load_balancer and load_balancer.availability_zone_data.get("compute_zone")
