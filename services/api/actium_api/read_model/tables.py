"""
The tables of the API's read model.

A resource's table has two kinds of columns: what projections keep (`wish`, statuses, `generation`, times), and, named
as in the API, every simple field of the reply, to filter and sort by. `body` is the reply's JSON, rendered when
something in it changed. Times that clients see are text, as they see them.
"""

from typing import Any

import sqlalchemy as sa

from actium_shared.read_model import positions_table

METADATA = sa.MetaData()
POSITIONS = positions_table(METADATA)

ID = sa.String(64)
TEXT = sa.Text
TIME = sa.String(32)
SECONDS_END = len("2026-01-31T12:00:00")
"""So much of a time is shown. `created_at` is kept in full, or what is made within one second would have no order."""


def _resource(name: str, *own: sa.Column[Any] | sa.Index, shown: dict[str, type]) -> sa.Table:
    """
    Make a resource's table: its own columns, those that all have, and the fields that it shows.

    Indexes end in the order of lists, so that a page of a large one is read, not sorted.
    """
    return sa.Table(
        name,
        METADATA,
        sa.Column("id", ID, primary_key=True),
        sa.Column("load_balancer_id", ID, nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("wish", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("operating_since", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME),
        sa.Column("operating_changed_at", TIME),
        sa.Column("updated_at", TIME),
        sa.Column("body", sa.LargeBinary),
        *own,
        *(sa.Column(field, _TYPES[kind]) for field, kind in shown.items()),
        sa.Index(f"{name}_order", "created_at", "id"),
        *([sa.Index(f"{name}_name", "name")] if "name" in shown else []),
        sa.Index(f"{name}_project", "project_id", "created_at", "id"),
        sa.Index(f"{name}_load_balancer", "load_balancer_id", "created_at", "id"),
        info={"shown": tuple(shown)},
    )


_TYPES: dict[type, type[sa.types.TypeEngine[Any]]] = {
    str: sa.Text,
    int: sa.BigInteger,
    bool: sa.Boolean,
    float: sa.Float,
}

LOAD_BALANCERS = _resource(
    "load_balancers",
    shown={
        "name": str,
        "description": str,
        "admin_state_up": bool,
        "vip_address": str,
        "vip_port_id": str,
        "vip_subnet_id": str,
        "vip_network_id": str,
        "provider": str,
        "flavor_id": str,
        "vip_qos_policy_id": str,
        "availability_zone": str,
        "vip_vnic_type": str,
    },
)
LISTENERS = _resource(
    "listeners",
    sa.Column("default_pool_id", ID, index=True),
    shown={
        "name": str,
        "description": str,
        "admin_state_up": bool,
        "protocol": str,
        "protocol_port": int,
        "connection_limit": int,
        "default_tls_container_ref": str,
        "timeout_client_data": int,
        "timeout_member_connect": int,
        "timeout_member_data": int,
        "timeout_tcp_inspect": int,
        "client_ca_tls_container_ref": str,
        "client_authentication": str,
        "client_crl_container_ref": str,
        "tls_ciphers": str,
        "hsts_max_age": int,
        "hsts_include_subdomains": bool,
        "hsts_preload": bool,
    },
)
POOLS = _resource(
    "pools",
    shown={
        "name": str,
        "description": str,
        "admin_state_up": bool,
        "protocol": str,
        "lb_algorithm": str,
        "healthmonitor_id": str,
        "tls_container_ref": str,
        "ca_tls_container_ref": str,
        "crl_container_ref": str,
        "tls_enabled": bool,
        "tls_ciphers": str,
    },
)
MEMBERS = _resource(
    "members",
    sa.Column("pool_id", ID, nullable=False),
    sa.Index("members_pool", "pool_id", "created_at", "id"),
    shown={
        "name": str,
        "admin_state_up": bool,
        "address": str,
        "protocol_port": int,
        "weight": int,
        "backup": bool,
        "subnet_id": str,
        "monitor_address": str,
        "monitor_port": int,
        "vnic_type": str,
    },
)
HEALTH_MONITORS = _resource(
    "health_monitors",
    sa.Column("pool_id", ID, nullable=False, index=True),
    shown={
        "name": str,
        "type": str,
        "delay": int,
        "timeout": int,
        "max_retries": int,
        "max_retries_down": int,
        "http_method": str,
        "url_path": str,
        "expected_codes": str,
        "admin_state_up": bool,
        "http_version": float,
        "domain_name": str,
    },
)

L7_POLICIES = _resource(
    "l7_policies",
    sa.Column("listener_id", ID, nullable=False, index=True),
    sa.Column("redirect_pool_id", ID, index=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    shown={
        "name": str,
        "description": str,
        "admin_state_up": bool,
        "action": str,
        "redirect_url": str,
        "redirect_prefix": str,
        "redirect_http_code": int,
    },
)
"""`position` is moved by other policies' events too, unlike what stands in `wish`."""

L7_RULES = _resource(
    "l7_rules",
    sa.Column("l7_policy_id", ID, nullable=False, index=True),
    sa.Column("rule_key", sa.Text),
    shown={"type": str, "compare_type": str, "value": str, "invert": bool, "admin_state_up": bool},
)
"""`rule_key` is the field `key`, a name that statements use for what they look rows up by."""

TAGS = sa.Table(
    "tags",
    METADATA,
    sa.Column("resource_id", ID, primary_key=True),
    sa.Column("tag", sa.String(255), primary_key=True),
    sa.Column("load_balancer_id", ID, nullable=False, index=True),
    sa.Index("tags_tag", "tag"),
)

APPLIANCES = sa.Table(
    "appliances",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("topology", sa.String(32), nullable=False),
    sa.Column("compute_flavor", sa.String(255)),
)

SPARES = sa.Table(
    "spares",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("image_tag", sa.String(255), nullable=False),
    sa.Column("flavor_id", ID),
    sa.Column("availability_zone", sa.String(255)),
    sa.Column("compute_flavor", sa.String(255)),
    sa.Column("compute_zone", sa.String(255)),
    sa.Column("trouble", sa.Text),
    sa.Column("retry_at", TIME),
)
"""Pools of spares; `trouble` is why no spare could be had when it was last tried."""

ROLLOUTS = sa.Table(
    "rollouts",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("selection", sa.JSON, nullable=False),
    sa.Column("to_image_tag", sa.String(255)),
    sa.Column("wave_size", sa.Integer, nullable=False),
    sa.Column("pause_between_s", sa.Float, nullable=False),
    sa.Column("max_failures", sa.Integer, nullable=False),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("replaced", sa.Integer, nullable=False),
    sa.Column("remaining", sa.Integer, nullable=False),
    sa.Column("under_way", sa.JSON, nullable=False),
    sa.Column("failed", sa.JSON, nullable=False),
    sa.Column("started_at", TIME, nullable=False),
    sa.Column("changed_at", TIME, nullable=False),
    sa.Column("next_wave_at", TIME),
)
"""
Rollouts; `started` is the position of the start, so that the newest is known. `under_way` and `failed` are lists of
objects that name an amphora; `remaining` are to be replaced in later waves.
"""

CARRIED = sa.Table(
    "carried_load_balancers",
    METADATA,
    sa.Column("appliance_id", ID, primary_key=True),
    sa.Column("load_balancer_id", ID, primary_key=True),
    sa.Column("admitted", sa.BigInteger, nullable=False),
)
"""Which appliance carries what; `admitted` is the position of the admission, so that the oldest is known."""

AMPHORAE = sa.Table(
    "amphorae",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("appliance_id", ID, nullable=False, index=True),
    # as the planner says
    sa.Column("stage", sa.String(32)),
    sa.Column("planned_role", sa.String(32)),
    sa.Column("appointed_at", TIME),
    sa.Column("planned_at", TIME),
    sa.Column("vip_port_id", ID),
    # as compute says
    sa.Column("machine", sa.String(32)),
    sa.Column("machine_at", TIME),
    sa.Column("booted_as", ID),
    sa.Column("host", sa.String(255)),
    sa.Column("image_tag", sa.String(255)),
    sa.Column("management_address", sa.String(64)),
    sa.Column("certificate_expires_at", TIME),
    sa.Column("bundle", sa.BigInteger),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("digest", sa.String(255)),
    # as health says
    sa.Column("verdict", sa.String(16)),
    sa.Column("verdict_reason", sa.Text),
    sa.Column("vrrp_state", sa.String(16)),
    # as the reply shows it
    sa.Column("project_id", sa.String(255)),
    sa.Column("loadbalancer_id", ID),
    sa.Column("compute_id", ID),
    sa.Column("lb_network_ip", sa.String(64)),
    sa.Column("vrrp_ip", sa.String(64)),
    sa.Column("ha_ip", sa.String(64)),
    sa.Column("vrrp_port_id", ID),
    sa.Column("ha_port_id", ID),
    sa.Column("cert_expiration", TIME),
    sa.Column("cert_busy", sa.Boolean),
    sa.Column("role", sa.String(32)),
    sa.Column("status", sa.String(32)),
    sa.Column("vrrp_interface", sa.String(16)),
    sa.Column("vrrp_id", sa.BigInteger),
    sa.Column("vrrp_priority", sa.BigInteger),
    sa.Column("cached_zone", sa.String(255)),
    sa.Column("created_at", TIME),
    sa.Column("updated_at", TIME),
    sa.Column("image_id", sa.String(255)),
    sa.Column("compute_flavor", sa.String(255)),
    sa.Column("body", sa.LargeBinary),
)
"""
One row per amphora for ever: planner, compute, network and health speak of it in any order, so that a row removed by one
could be brought back by another. A row whose `body` is null is not shown. A spare's `appliance_id` is its pool's.
"""

NETWORKS = sa.Table(
    "networks",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("mtu", sa.Integer, nullable=False),
    sa.Column("subnets", sa.JSON, nullable=False),
)
"""`subnets`: a list of objects with the fields of `actium_shared.events.network.Subnet`."""

VIPS = sa.Table(
    "vips",
    METADATA,
    sa.Column("load_balancer_id", ID, primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("prefix_length", sa.Integer, nullable=False),
    sa.Column("port_id", ID, nullable=False, index=True),
    sa.Column("subnet_id", ID, nullable=False),
    sa.Column("network_id", ID, nullable=False),
    sa.Column("gateway", sa.String(64)),
)

PORTS = sa.Table(
    "ports",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("amphora_id", ID, nullable=False, index=True),
    sa.Column("appliance_id", ID, nullable=False),
    sa.Column("network_id", ID, nullable=False),
    sa.Column("subnet_id", ID, nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("prefix_length", sa.Integer, nullable=False),
    sa.Column("mac", sa.String(32), nullable=False),
    sa.Column("mtu", sa.Integer, nullable=False),
    sa.Column("gateway", sa.String(64)),
)

PROPOSALS = sa.Table(
    "proposals",
    METADATA,
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("load_balancer_id", ID, nullable=False, index=True),
    sa.Column("provider", sa.String(255), nullable=False),
    sa.Column("command", sa.LargeBinary, nullable=False),
    sa.Column("lapsed", sa.Boolean, nullable=False),
)
"""What other vendors' drivers are asked about, as it was decided (a packed command); a lapsed one is to be undone there."""

STATISTICS = sa.Table(
    "listener_statistics",
    METADATA,
    sa.Column("listener_id", ID, primary_key=True),
    sa.Column("amphora_id", ID, primary_key=True),
    sa.Column("load_balancer_id", ID, nullable=False, index=True),
    sa.Column("bytes_in", sa.BigInteger, nullable=False),
    sa.Column("bytes_out", sa.BigInteger, nullable=False),
    sa.Column("active_connections", sa.BigInteger, nullable=False),
    sa.Column("total_connections", sa.BigInteger, nullable=False),
    sa.Column("request_errors", sa.BigInteger, nullable=False),
)
"""Cumulative totals per listener and amphora, as last published; replies sum them."""

SECRETS = sa.Table(
    "secrets",
    METADATA,
    sa.Column("ref", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("expires_at", TIME),
    sa.Column("stored_at", TIME, nullable=False),
)
"""What is known of secrets; their content is nowhere but in compute's store."""
