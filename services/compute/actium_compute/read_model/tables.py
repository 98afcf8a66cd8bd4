"""
The tables. `amphorae`, `ports` and `secrets` come from the log: deleted, they come back equal.

`orders` (with `secret_uses`, their index) and `attachments` are promises and deeds that are on no log: without them the
planner's repeated orders are worked from the start.
"""

import sqlalchemy as sa

from actium_shared.read_model import positions_table

METADATA = sa.MetaData()

POSITIONS = positions_table(METADATA)

AMPHORAE = sa.Table(
    "amphorae",
    METADATA,
    sa.Column("amphora_id", sa.String(36), primary_key=True),
    sa.Column("appliance_id", sa.String(36), nullable=False),
    sa.Column("stage", sa.String(16), nullable=False, index=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("image_tag", sa.String(128)),
    sa.Column("management_address", sa.String(45)),
    sa.Column("certificate_expires_at_epoch_s", sa.BigInteger),
    sa.Column("configured_bundle", sa.BigInteger, nullable=False, default=0),
    sa.Column("refused_bundle", sa.BigInteger, nullable=False, default=0),
    sa.Column("digest", sa.String(64)),
    sa.Column("host", sa.String(255), nullable=False, server_default=""),
    sa.Column("heartbeat_key_version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("credentials_edition", sa.Integer, nullable=False, server_default="1"),
)
"""
`sequence` is the amphora's last commit: what the next append expects. `host` is where it booted last, empty before that.
"""

PORTS = sa.Table(
    "ports",
    METADATA,
    sa.Column("port_id", sa.String(36), primary_key=True),
    sa.Column("amphora_id", sa.String(36), nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("amphora_id", sa.String(36), primary_key=True),
    sa.Column("purpose", sa.String(16), primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("bundle", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("correlation_id", sa.String(128), nullable=False),
    sa.Column("traceparent", sa.String(64)),
    sa.Column("received_at_epoch_s", sa.Float, nullable=False),
    sa.Column("appliance_id", sa.String(36), nullable=False, server_default="", index=True),
)
"""
The newest of each purpose: boot, configure, fence, delete; and applied, the configuration that the agent last took.

`appliance_id` is what the order names: a spare's first ones name its pool.
"""

ATTACHMENTS = sa.Table(
    "attachments",
    METADATA,
    sa.Column("amphora_id", sa.String(36), primary_key=True),
    sa.Column("port_id", sa.String(36), primary_key=True),
)
"""Ports that may be plugged in: written before plugging, removed after unplugging."""

SECRETS = sa.Table(
    "secrets",
    METADATA,
    sa.Column("secret_ref", sa.String(255), primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("digest", sa.String(64)),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
"""What is known of secrets, never their content. `digest` is null for one that was deleted."""

SECRET_USES = sa.Table(
    "secret_uses",
    METADATA,
    sa.Column("amphora_id", sa.String(36), primary_key=True),
    sa.Column("purpose", sa.String(16), primary_key=True),
    sa.Column("secret_ref", sa.String(255), primary_key=True, index=True),
)
"""Which order names which secret."""
