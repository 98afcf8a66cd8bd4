"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "amphorae",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("appliance_id", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=True),
        sa.Column("planned_role", sa.String(length=32), nullable=True),
        sa.Column("appointed_at", sa.String(length=32), nullable=True),
        sa.Column("planned_at", sa.String(length=32), nullable=True),
        sa.Column("vip_port_id", sa.String(length=64), nullable=True),
        sa.Column("machine", sa.String(length=32), nullable=True),
        sa.Column("machine_at", sa.String(length=32), nullable=True),
        sa.Column("booted_as", sa.String(length=64), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("image_tag", sa.String(length=255), nullable=True),
        sa.Column("management_address", sa.String(length=64), nullable=True),
        sa.Column("certificate_expires_at", sa.String(length=32), nullable=True),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=True),
        sa.Column("compute_id", sa.String(length=64), nullable=True),
        sa.Column("lb_network_ip", sa.String(length=64), nullable=True),
        sa.Column("vrrp_ip", sa.String(length=64), nullable=True),
        sa.Column("ha_ip", sa.String(length=64), nullable=True),
        sa.Column("vrrp_port_id", sa.String(length=64), nullable=True),
        sa.Column("ha_port_id", sa.String(length=64), nullable=True),
        sa.Column("cert_expiration", sa.String(length=32), nullable=True),
        sa.Column("cert_busy", sa.Boolean(), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=True),
        sa.Column("vrrp_interface", sa.String(length=16), nullable=True),
        sa.Column("vrrp_id", sa.BigInteger(), nullable=True),
        sa.Column("vrrp_priority", sa.BigInteger(), nullable=True),
        sa.Column("cached_zone", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=True),
        sa.Column("image_id", sa.String(length=64), nullable=True),
        sa.Column("compute_flavor", sa.String(length=255), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_amphorae_appliance_id"), "amphorae", ["appliance_id"], unique=False)
    op.create_table(
        "appliances",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("topology", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "carried_load_balancers",
        sa.Column("appliance_id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("admitted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("appliance_id", "load_balancer_id"),
    )
    op.create_table(
        "health_monitors",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("wish", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("provisioning_status", sa.String(length=32), nullable=False),
        sa.Column("operating_status", sa.String(length=32), nullable=False),
        sa.Column("operating_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=True),
        sa.Column("operating_changed_at", sa.String(length=32), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("pool_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("delay", sa.BigInteger(), nullable=True),
        sa.Column("timeout", sa.BigInteger(), nullable=True),
        sa.Column("max_retries", sa.BigInteger(), nullable=True),
        sa.Column("max_retries_down", sa.BigInteger(), nullable=True),
        sa.Column("http_method", sa.Text(), nullable=True),
        sa.Column("url_path", sa.Text(), nullable=True),
        sa.Column("expected_codes", sa.Text(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=True),
        sa.Column("http_version", sa.Float(), nullable=True),
        sa.Column("domain_name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        info={
            "shown": (
                "name",
                "type",
                "delay",
                "timeout",
                "max_retries",
                "max_retries_down",
                "http_method",
                "url_path",
                "expected_codes",
                "admin_state_up",
                "http_version",
                "domain_name",
            )
        },
    )
    op.create_index("health_monitors_load_balancer", "health_monitors", ["load_balancer_id"], unique=False)
    op.create_index("health_monitors_name", "health_monitors", ["name"], unique=False)
    op.create_index("health_monitors_order", "health_monitors", ["created_at", "id"], unique=False)
    op.create_index("health_monitors_project", "health_monitors", ["project_id"], unique=False)
    op.create_index(op.f("ix_health_monitors_pool_id"), "health_monitors", ["pool_id"], unique=False)
    op.create_table(
        "listener_statistics",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("amphora_id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("active_connections", sa.BigInteger(), nullable=False),
        sa.Column("total_connections", sa.BigInteger(), nullable=False),
        sa.Column("request_errors", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("listener_id", "amphora_id"),
    )
    op.create_index(
        op.f("ix_listener_statistics_load_balancer_id"), "listener_statistics", ["load_balancer_id"], unique=False
    )
    op.create_table(
        "listeners",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("wish", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("provisioning_status", sa.String(length=32), nullable=False),
        sa.Column("operating_status", sa.String(length=32), nullable=False),
        sa.Column("operating_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=True),
        sa.Column("operating_changed_at", sa.String(length=32), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("default_pool_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=True),
        sa.Column("protocol_port", sa.BigInteger(), nullable=True),
        sa.Column("connection_limit", sa.BigInteger(), nullable=True),
        sa.Column("default_tls_container_ref", sa.Text(), nullable=True),
        sa.Column("timeout_client_data", sa.BigInteger(), nullable=True),
        sa.Column("timeout_member_connect", sa.BigInteger(), nullable=True),
        sa.Column("timeout_member_data", sa.BigInteger(), nullable=True),
        sa.Column("timeout_tcp_inspect", sa.BigInteger(), nullable=True),
        sa.Column("client_ca_tls_container_ref", sa.Text(), nullable=True),
        sa.Column("client_authentication", sa.Text(), nullable=True),
        sa.Column("client_crl_container_ref", sa.Text(), nullable=True),
        sa.Column("tls_ciphers", sa.Text(), nullable=True),
        sa.Column("hsts_max_age", sa.BigInteger(), nullable=True),
        sa.Column("hsts_include_subdomains", sa.Boolean(), nullable=True),
        sa.Column("hsts_preload", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        info={
            "shown": (
                "name",
                "description",
                "admin_state_up",
                "protocol",
                "protocol_port",
                "connection_limit",
                "default_tls_container_ref",
                "timeout_client_data",
                "timeout_member_connect",
                "timeout_member_data",
                "timeout_tcp_inspect",
                "client_ca_tls_container_ref",
                "client_authentication",
                "client_crl_container_ref",
                "tls_ciphers",
                "hsts_max_age",
                "hsts_include_subdomains",
                "hsts_preload",
            )
        },
    )
    op.create_index(op.f("ix_listeners_default_pool_id"), "listeners", ["default_pool_id"], unique=False)
    op.create_index("listeners_load_balancer", "listeners", ["load_balancer_id"], unique=False)
    op.create_index("listeners_name", "listeners", ["name"], unique=False)
    op.create_index("listeners_order", "listeners", ["created_at", "id"], unique=False)
    op.create_index("listeners_project", "listeners", ["project_id"], unique=False)
    op.create_table(
        "load_balancers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("wish", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("provisioning_status", sa.String(length=32), nullable=False),
        sa.Column("operating_status", sa.String(length=32), nullable=False),
        sa.Column("operating_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=True),
        sa.Column("operating_changed_at", sa.String(length=32), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=True),
        sa.Column("vip_address", sa.Text(), nullable=True),
        sa.Column("vip_port_id", sa.Text(), nullable=True),
        sa.Column("vip_subnet_id", sa.Text(), nullable=True),
        sa.Column("vip_network_id", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("flavor_id", sa.Text(), nullable=True),
        sa.Column("vip_qos_policy_id", sa.Text(), nullable=True),
        sa.Column("availability_zone", sa.Text(), nullable=True),
        sa.Column("vip_vnic_type", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        info={
            "shown": (
                "name",
                "description",
                "admin_state_up",
                "vip_address",
                "vip_port_id",
                "vip_subnet_id",
                "vip_network_id",
                "provider",
                "flavor_id",
                "vip_qos_policy_id",
                "availability_zone",
                "vip_vnic_type",
            )
        },
    )
    op.create_index("load_balancers_load_balancer", "load_balancers", ["load_balancer_id"], unique=False)
    op.create_index("load_balancers_name", "load_balancers", ["name"], unique=False)
    op.create_index("load_balancers_order", "load_balancers", ["created_at", "id"], unique=False)
    op.create_index("load_balancers_project", "load_balancers", ["project_id"], unique=False)
    op.create_table(
        "members",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("wish", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("provisioning_status", sa.String(length=32), nullable=False),
        sa.Column("operating_status", sa.String(length=32), nullable=False),
        sa.Column("operating_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=True),
        sa.Column("operating_changed_at", sa.String(length=32), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("pool_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("protocol_port", sa.BigInteger(), nullable=True),
        sa.Column("weight", sa.BigInteger(), nullable=True),
        sa.Column("backup", sa.Boolean(), nullable=True),
        sa.Column("subnet_id", sa.Text(), nullable=True),
        sa.Column("monitor_address", sa.Text(), nullable=True),
        sa.Column("monitor_port", sa.BigInteger(), nullable=True),
        sa.Column("vnic_type", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        info={
            "shown": (
                "name",
                "admin_state_up",
                "address",
                "protocol_port",
                "weight",
                "backup",
                "subnet_id",
                "monitor_address",
                "monitor_port",
                "vnic_type",
            )
        },
    )
    op.create_index(op.f("ix_members_pool_id"), "members", ["pool_id"], unique=False)
    op.create_index("members_load_balancer", "members", ["load_balancer_id"], unique=False)
    op.create_index("members_name", "members", ["name"], unique=False)
    op.create_index("members_order", "members", ["created_at", "id"], unique=False)
    op.create_index("members_project", "members", ["project_id"], unique=False)
    op.create_table(
        "networks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("mtu", sa.Integer(), nullable=False),
        sa.Column("subnets", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pools",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("wish", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("provisioning_status", sa.String(length=32), nullable=False),
        sa.Column("operating_status", sa.String(length=32), nullable=False),
        sa.Column("operating_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=True),
        sa.Column("operating_changed_at", sa.String(length=32), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=True),
        sa.Column("lb_algorithm", sa.Text(), nullable=True),
        sa.Column("healthmonitor_id", sa.Text(), nullable=True),
        sa.Column("tls_container_ref", sa.Text(), nullable=True),
        sa.Column("ca_tls_container_ref", sa.Text(), nullable=True),
        sa.Column("crl_container_ref", sa.Text(), nullable=True),
        sa.Column("tls_enabled", sa.Boolean(), nullable=True),
        sa.Column("tls_ciphers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        info={
            "shown": (
                "name",
                "description",
                "admin_state_up",
                "protocol",
                "lb_algorithm",
                "healthmonitor_id",
                "tls_container_ref",
                "ca_tls_container_ref",
                "crl_container_ref",
                "tls_enabled",
                "tls_ciphers",
            )
        },
    )
    op.create_index("pools_load_balancer", "pools", ["load_balancer_id"], unique=False)
    op.create_index("pools_name", "pools", ["name"], unique=False)
    op.create_index("pools_order", "pools", ["created_at", "id"], unique=False)
    op.create_index("pools_project", "pools", ["project_id"], unique=False)
    op.create_table(
        "ports",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("amphora_id", sa.String(length=64), nullable=False),
        sa.Column("appliance_id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.Column("mac", sa.String(length=32), nullable=False),
        sa.Column("mtu", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ports_amphora_id"), "ports", ["amphora_id"], unique=False)
    op.create_table(
        "positions",
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream"),
    )
    op.create_table(
        "tags",
        sa.Column("resource_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "tag"),
    )
    op.create_index(op.f("ix_tags_load_balancer_id"), "tags", ["load_balancer_id"], unique=False)
    op.create_index("tags_tag", "tags", ["tag"], unique=False)
    op.create_table(
        "vips",
        sa.Column("load_balancer_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("load_balancer_id"),
    )
    op.create_index(op.f("ix_vips_port_id"), "vips", ["port_id"], unique=False)
