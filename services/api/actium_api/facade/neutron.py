"""Rows of the read model's network tables as Neutron shows them. Pure."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import sqlalchemy as sa

from actium_api.read_model.tables import NETWORKS, PORTS, VIPS

Item = dict[str, Any]
Collections = dict[str, list[Item]]

EMPTY = (
    "security_groups",
    "security_group_rules",
    "policies",
    "floatingips",
    "routers",
    "address_groups",
    "agents",
    "availability_zones",
    "extensions",
    "network_ip_availabilities",
    "subnetpools",
    "trunks",
)
"""Collections that clients look into, and that are always empty here."""


def collections(connection: sa.Connection, *, project_id: str) -> Collections:
    """Read everything there is: networks, subnets, ports. What belongs to nobody belongs to `project_id`."""
    networks = list(connection.execute(sa.select(NETWORKS).order_by(NETWORKS.c.name, NETWORKS.c.id)).mappings())
    vips = connection.execute(sa.select(VIPS).order_by(VIPS.c.port_id)).mappings()
    ports = connection.execute(sa.select(PORTS).order_by(PORTS.c.id)).mappings()
    return {
        "networks": [_network(row, project_id) for row in networks],
        "subnets": [_subnet(subnet, row, project_id) for row in networks for subnet in row["subnets"]],
        "ports": [*map(_vip_port, vips), *(_amphora_port(row, project_id) for row in ports)],
        **{name: [] for name in EMPTY},
    }


def _network(row: sa.RowMapping, project_id: str) -> Item:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": f"role: {row['role']}",
        **_owner(project_id),
        "admin_state_up": True,
        "status": "ACTIVE",
        "mtu": row["mtu"],
        "shared": True,
        "router:external": row["role"] == "vip",
        "port_security_enabled": False,
        "subnets": [subnet["id"] for subnet in row["subnets"]],
        "availability_zones": [],
        "availability_zone_hints": [],
        "tags": [],
    }


def _subnet(subnet: Item, network: sa.RowMapping, project_id: str) -> Item:
    pools = [{"start": subnet["pool_start"], "end": subnet["pool_end"]}] if subnet.get("pool_start") else []
    return {
        "id": subnet["id"],
        "name": subnet["name"],
        "description": "",
        "network_id": network["id"],
        **_owner(project_id),
        "cidr": subnet["cidr"],
        "ip_version": ip_network(subnet["cidr"]).version,
        "gateway_ip": subnet.get("gateway"),
        "allocation_pools": pools,
        "enable_dhcp": False,
        "dns_nameservers": [],
        "host_routes": [],
        "service_types": [],
        "tags": [],
    }


def _vip_port(row: sa.RowMapping) -> Item:
    """Named and owned as Octavia's own are, since scripts look for that."""
    return {
        "id": row["port_id"],
        "name": f"octavia-lb-{row['load_balancer_id']}",
        "device_id": f"lb-{row['load_balancer_id']}",
        "device_owner": "Octavia",
        "mac_address": None,
        **_owner(row["project_id"]),
        **_port(row, [row]),
    }


def _amphora_port(row: sa.RowMapping, project_id: str) -> Item:
    return {
        "id": row["id"],
        "name": f"amphora-{row['amphora_id']}",
        "device_id": row["amphora_id"],
        "device_owner": "compute:embedded",
        "mac_address": row["mac"],
        **_owner(project_id),
        **_port(row, [row]),
    }


def _port(row: sa.RowMapping, addresses: Iterable[sa.RowMapping]) -> Item:
    return {
        "description": "",
        "network_id": row["network_id"],
        "fixed_ips": [{"subnet_id": one["subnet_id"], "ip_address": one["address"]} for one in addresses],
        "admin_state_up": True,
        "status": "ACTIVE",
        "allowed_address_pairs": [],
        "security_groups": [],
        "tags": [],
    }


def _owner(project_id: str) -> Item:
    return {"project_id": project_id, "tenant_id": project_id}
