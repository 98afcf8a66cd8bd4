"""The tables. What was deleted by the planner leaves no row; an amphora's row stays, so that late news finds it deleted."""

import sqlalchemy as sa

from actium_shared.read_model import positions_table

METADATA = sa.MetaData()

ID = sa.String(64)

positions = positions_table(METADATA)

objects = sa.Table(
    "objects",
    METADATA,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("id", ID, primary_key=True),
    sa.Column("load_balancer_id", ID, nullable=False, index=True),
    sa.Column("parent_id", ID, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("monitored", sa.Boolean, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
)
"""Load balancers, listeners, pools and members alike: all that has an operating status of its own."""

placements = sa.Table(
    "placements",
    METADATA,
    sa.Column("load_balancer_id", ID, primary_key=True),
    sa.Column("appliance_id", ID, nullable=False, index=True),
)

bundles = sa.Table(
    "bundles",
    METADATA,
    sa.Column("appliance_id", ID, primary_key=True),
    sa.Column("bundle", sa.BigInteger, primary_key=True),
    sa.Column("load_balancer_id", ID, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
)
"""Which wish of which load balancer a bundle holds: the bundle in force and those behind it."""

amphorae = sa.Table(
    "amphorae",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("appliance_id", ID, nullable=False, index=True),
    sa.Column("dismissed", sa.Boolean, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("key_version", sa.Integer, nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("spare", sa.Boolean, nullable=False),
)
"""`key_version`: older keys are worthless; 0 until it booted. Of a spare, `appliance_id` is its pool's."""

statuses = sa.Table(
    "statuses",
    METADATA,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("id", ID, primary_key=True),
    sa.Column("load_balancer_id", ID, nullable=False, index=True),
    sa.Column("operating_status", sa.String(16), nullable=False),
)
"""What was last recorded on the log."""

records = sa.Table(
    "records",
    METADATA,
    sa.Column("load_balancer_id", ID, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
"""Where each load balancer's last commit of ours stands: what the next append expects."""

liveness = sa.Table(
    "liveness",
    METADATA,
    sa.Column("amphora_id", ID, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
)
"""What was last recorded of one amphora's life, and where: what the next append expects. `verdict`: see `liveness`."""

losses = sa.Table(
    "losses",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("amphora_id", ID, primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Verdicts of the last while (unix seconds, the bus's), also of amphorae that are gone since: the limits count them."""

totals = sa.Table(
    "totals",
    METADATA,
    sa.Column("amphora_id", ID, primary_key=True),
    sa.Column("boot_id", sa.String(128), primary_key=True),
    sa.Column("listener_id", ID, primary_key=True),
    sa.Column("load_balancer_id", ID, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("bytes_in", sa.BigInteger, nullable=False),
    sa.Column("bytes_out", sa.BigInteger, nullable=False),
    sa.Column("active_connections", sa.BigInteger, nullable=False),
    sa.Column("total_connections", sa.BigInteger, nullable=False),
    sa.Column("request_errors", sa.BigInteger, nullable=False),
)
"""The highest figures of each boot: their sum never falls, in whatever order beats are read, and however often."""
