"""
The tables. What came from the log can be deleted and comes back equal; `orders` and rows that are not on the log yet
(claimed VIPs, wanted ports, VIPs about to be routed) are promises: without them the planner's repeated orders are worked from the start.
"""

import sqlalchemy as sa

from actium_shared.read_model import positions_table

METADATA = sa.MetaData()

POSITIONS = positions_table(METADATA)

AGGREGATES = sa.Table(
    "aggregates",
    METADATA,
    sa.Column("subject", sa.String(128), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
"""The last commit of each aggregate of ours: what the next append expects."""

NETWORKS = sa.Table(
    "networks",
    METADATA,
    sa.Column("network_id", sa.String(36), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

SUBNETS = sa.Table(
    "subnets",
    METADATA,
    sa.Column("subnet_id", sa.String(36), primary_key=True),
    sa.Column("network_id", sa.String(36), nullable=False, index=True),
)

ADDRESSES = sa.Table(
    "addresses",
    METADATA,
    sa.Column("subnet_id", sa.String(36), primary_key=True),
    sa.Column("address", sa.String(45), primary_key=True),
    sa.Column("port_id", sa.String(36), nullable=False, unique=True),
)
"""Every address that is in use or promised, VIPs by their port's id: none can be given twice."""

VIPS = sa.Table(
    "vips",
    METADATA,
    sa.Column("load_balancer_id", sa.String(36), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("project_id", sa.String(36), nullable=False),
    sa.Column("body", sa.LargeBinary),
    sa.Column("additional", sa.LargeBinary),
    sa.Column("asked_at_epoch_s", sa.Float, nullable=False),
)

LOAD_BALANCERS = sa.Table(
    "load_balancers",
    METADATA,
    sa.Column("load_balancer_id", sa.String(36), primary_key=True),
)
"""Those that exist by the planner's events: their VIPs do not lapse."""

PROPOSALS = sa.Table(
    "proposals",
    METADATA,
    sa.Column("proposal_id", sa.String(255), primary_key=True),
    sa.Column("load_balancer_id", sa.String(36), nullable=False, index=True),
)
"""What other vendors' drivers are asked to create, until it counts or nothing of it is left there."""

PORTS = sa.Table(
    "ports",
    METADATA,
    sa.Column("port_id", sa.String(36), primary_key=True),
    sa.Column("amphora_id", sa.String(36), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("body", sa.LargeBinary),
)
"""State: wanted (address taken, on no log yet), created, failed (nothing but a half-made end may be left)."""

SETTLEMENTS = sa.Table(
    "settlements",
    METADATA,
    sa.Column("amphora_id", sa.String(36), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

ROUTINGS = sa.Table(
    "routings",
    METADATA,
    sa.Column("appliance_id", sa.String(36), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("addresses", sa.LargeBinary, nullable=False),
)
"""Revision: the newest that the log answers. Addresses: those that VIPs are routed to, promised ones included."""

ROUTED_VIPS = sa.Table(
    "routed_vips",
    METADATA,
    sa.Column("subnet_id", sa.String(36), primary_key=True),
    sa.Column("address", sa.String(45), primary_key=True),
    sa.Column("appliance_id", sa.String(36), nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""VIPs that a route may lead to: they are given back only when none does."""

ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("type", sa.String(64), primary_key=True),
    sa.Column("target", sa.String(36), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("correlation_id", sa.String(128), nullable=False),
    sa.Column("traceparent", sa.String(64)),
)
"""Acknowledged and not answered on the log yet; the newest of each target."""
