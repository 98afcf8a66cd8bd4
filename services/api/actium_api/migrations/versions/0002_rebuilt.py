"""
Every table anew, for what came since: L7, secrets, what operators settle, proposals, spares, pairs, lists read in order.

All that they hold is on the log; with the positions gone too, the next start reads it from the beginning.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "amphorae",
    "appliances",
    "availability_zone_profiles",
    "availability_zones",
    "carried_load_balancers",
    "flavor_profiles",
    "flavors",
    "health_monitors",
    "l7_policies",
    "l7_rules",
    "listener_statistics",
    "listeners",
    "load_balancers",
    "members",
    "networks",
    "pools",
    "ports",
    "positions",
    "proposals",
    "quotas",
    "secrets",
    "tags",
    "vips",
)
"""Those of 0001, and those that for a while stood in it too."""


def upgrade() -> None:
    there = sa.inspect(op.get_bind()).get_table_names()
    for name in TABLES:
        if name in there:
            op.drop_table(name)
    _positions()
    _resources()
    _what_is_in_policies()
    _fleet()
    _networks()
    _what_operators_settle()
    _others()


def _positions() -> None:
    op.create_table("positions", _text("stream", 64, key=True), sa.Column("sequence", sa.BigInteger, nullable=False))


def _resources() -> None:
    _resource(
        "load_balancers",
        *_shown("name description", sa.Text),
        *_shown("admin_state_up", sa.Boolean),
        *_shown("vip_address vip_port_id vip_subnet_id vip_network_id provider flavor_id", sa.Text),
        *_shown("vip_qos_policy_id availability_zone vip_vnic_type", sa.Text),
        named=True,
    )
    _resource(
        "listeners",
        sa.Column("default_pool_id", sa.String(64), index=True),
        *_shown("name description protocol default_tls_container_ref client_ca_tls_container_ref", sa.Text),
        *_shown("client_authentication client_crl_container_ref tls_ciphers", sa.Text),
        *_shown("admin_state_up hsts_include_subdomains hsts_preload", sa.Boolean),
        *_shown("protocol_port connection_limit timeout_client_data timeout_member_connect", sa.BigInteger),
        *_shown("timeout_member_data timeout_tcp_inspect hsts_max_age", sa.BigInteger),
        named=True,
    )
    _resource(
        "pools",
        *_shown("name description protocol lb_algorithm healthmonitor_id tls_container_ref", sa.Text),
        *_shown("ca_tls_container_ref crl_container_ref tls_ciphers", sa.Text),
        *_shown("admin_state_up tls_enabled", sa.Boolean),
        named=True,
    )
    _resource(
        "members",
        _text("pool_id", 64),
        *_shown("name address subnet_id monitor_address vnic_type", sa.Text),
        *_shown("admin_state_up backup", sa.Boolean),
        *_shown("protocol_port weight monitor_port", sa.BigInteger),
        named=True,
    )
    op.create_index("members_pool", "members", ["pool_id", "created_at", "id"])
    _resource(
        "health_monitors",
        sa.Column("pool_id", sa.String(64), nullable=False, index=True),
        *_shown("name type http_method url_path expected_codes domain_name", sa.Text),
        *_shown("delay timeout max_retries max_retries_down", sa.BigInteger),
        *_shown("admin_state_up", sa.Boolean),
        *_shown("http_version", sa.Float),
        named=True,
    )


def _what_is_in_policies() -> None:
    _resource(
        "l7_policies",
        sa.Column("listener_id", sa.String(64), nullable=False, index=True),
        sa.Column("redirect_pool_id", sa.String(64), index=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        *_shown("name description action redirect_url redirect_prefix", sa.Text),
        *_shown("admin_state_up", sa.Boolean),
        *_shown("redirect_http_code", sa.BigInteger),
        named=True,
    )
    _resource(
        "l7_rules",
        sa.Column("l7_policy_id", sa.String(64), nullable=False, index=True),
        *_shown("rule_key type compare_type value", sa.Text),
        *_shown("invert admin_state_up", sa.Boolean),
        named=False,
    )
    op.create_table(
        "tags",
        _text("resource_id", 64, key=True),
        _text("tag", 255, key=True),
        sa.Column("load_balancer_id", sa.String(64), nullable=False, index=True),
        sa.Index("tags_tag", "tag"),
    )


def _fleet() -> None:
    op.create_table(
        "appliances",
        _text("id", 64, key=True),
        _text("project_id"),
        _text("topology", 32),
        *_shown("compute_flavor", sa.String(255)),
    )
    op.create_table(
        "spares",
        _text("id", 64, key=True),
        sa.Column("size", sa.Integer, nullable=False),
        _text("image_tag"),
        *_shown("flavor_id", sa.String(64)),
        *_shown("availability_zone compute_flavor compute_zone", sa.String(255)),
        *_shown("trouble", sa.Text),
        *_shown("retry_at", sa.String(32)),
    )
    op.create_table(
        "carried_load_balancers",
        _text("appliance_id", 64, key=True),
        _text("load_balancer_id", 64, key=True),
        sa.Column("admitted", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "amphorae",
        _text("id", 64, key=True),
        sa.Column("appliance_id", sa.String(64), nullable=False, index=True),
        *_shown("stage planned_role appointed_at planned_at machine machine_at certificate_expires_at", sa.String(32)),
        *_shown("vip_port_id booted_as management_address", sa.String(64)),
        *_shown("host image_tag digest", sa.String(255)),
        *_shown("bundle epoch", sa.BigInteger),
        *_shown("verdict vrrp_state", sa.String(16)),
        *_shown("verdict_reason", sa.Text),
        *_shown("loadbalancer_id compute_id lb_network_ip vrrp_ip ha_ip vrrp_port_id ha_port_id", sa.String(64)),
        *_shown("project_id cached_zone image_id compute_flavor", sa.String(255)),
        *_shown("cert_expiration role status created_at updated_at", sa.String(32)),
        *_shown("vrrp_interface", sa.String(16)),
        *_shown("vrrp_id vrrp_priority", sa.BigInteger),
        *_shown("cert_busy", sa.Boolean),
        *_shown("body", sa.LargeBinary),
    )


def _networks() -> None:
    op.create_table(
        "networks",
        _text("id", 64, key=True),
        _text("name"),
        _text("role", 32),
        sa.Column("mtu", sa.Integer, nullable=False),
        sa.Column("subnets", sa.JSON, nullable=False),
    )
    op.create_table(
        "vips",
        _text("load_balancer_id", 64, key=True),
        _text("project_id"),
        *_address(),
        sa.Column("port_id", sa.String(64), nullable=False, index=True),
    )
    op.create_table(
        "ports",
        _text("id", 64, key=True),
        sa.Column("amphora_id", sa.String(64), nullable=False, index=True),
        _text("appliance_id", 64),
        *_address(),
        _text("mac", 32),
        sa.Column("mtu", sa.Integer, nullable=False),
    )


def _what_operators_settle() -> None:
    _settled(
        "flavor_profiles", _text("name"), _text("provider_name"), sa.Column("flavor_data", sa.Text, nullable=False)
    )
    _settled("flavors", _text("name"), _text("description"), _flag("enabled"), _text("flavor_profile_id", 64))
    zone_data = sa.Column("availability_zone_data", sa.Text, nullable=False)
    _settled("availability_zone_profiles", _text("name"), _text("provider_name"), zone_data)
    _settled(
        "availability_zones",
        _text("name"),
        _text("description"),
        _flag("enabled"),
        _text("availability_zone_profile_id", 64),
        key=_text("id", key=True),
    )
    limits = "loadbalancer listener pool member healthmonitor l7policy l7rule"
    _settled("quotas", _text("project_id"), *_shown(limits, sa.BigInteger), key=_text("id", key=True))


def _others() -> None:
    op.create_table(
        "proposals",
        _text("id", key=True),
        sa.Column("load_balancer_id", sa.String(64), nullable=False, index=True),
        _text("provider"),
        sa.Column("command", sa.LargeBinary, nullable=False),
        _flag("lapsed"),
    )
    counters = ("bytes_in", "bytes_out", "active_connections", "total_connections", "request_errors")
    op.create_table(
        "listener_statistics",
        _text("listener_id", 64, key=True),
        _text("amphora_id", 64, key=True),
        sa.Column("load_balancer_id", sa.String(64), nullable=False, index=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in counters),
    )
    op.create_table(
        "secrets",
        _text("ref", key=True),
        _text("name"),
        _text("kind", 16),
        _text("project_id"),
        _text("digest", 64),
        *_shown("expires_at", sa.String(32)),
        _text("stored_at", 32),
    )


def _resource(name: str, *own: sa.Column[Any], named: bool) -> None:
    op.create_table(
        name,
        _text("id", 64, key=True),
        _text("load_balancer_id", 64),
        _text("project_id"),
        sa.Column("wish", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        _text("provisioning_status", 32),
        _text("operating_status", 32),
        sa.Column("operating_since", sa.BigInteger, nullable=False),
        _text("created_at", 32),
        *_shown("changed_at operating_changed_at updated_at", sa.String(32)),
        *_shown("body", sa.LargeBinary),
        *own,
    )
    op.create_index(f"{name}_order", name, ["created_at", "id"])
    op.create_index(f"{name}_project", name, ["project_id", "created_at", "id"])
    op.create_index(f"{name}_load_balancer", name, ["load_balancer_id", "created_at", "id"])
    if named:
        op.create_index(f"{name}_name", name, ["name"])


def _settled(name: str, *columns: sa.Column[Any], key: sa.Column[Any] | None = None) -> None:
    own = _text("id", 64, key=True) if key is None else key
    op.create_table(name, own, _text("created_at", 32), sa.Column("body", sa.LargeBinary, nullable=False), *columns)
    op.create_index(f"{name}_order", name, ["created_at", "id"])


def _shown(names: str, kind: type[sa.types.TypeEngine[Any]] | sa.types.TypeEngine[Any]) -> list[sa.Column[Any]]:
    """Give columns that may be empty."""
    return [sa.Column(name, kind) for name in names.split()]


def _address() -> list[sa.Column[Any]]:
    return [
        _text("network_id", 64),
        _text("subnet_id", 64),
        _text("address", 64),
        sa.Column("prefix_length", sa.Integer, nullable=False),
        *_shown("gateway", sa.String(64)),
    ]


def _text(name: str, length: int = 255, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), primary_key=key, nullable=False)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)
