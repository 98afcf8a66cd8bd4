"""Secrets and who uses them; for whom each order is; where each amphora is, and which of its keys counts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # For a while the tables of secrets stood in 0001: databases that were made then have them already.
    if not sa.inspect(op.get_bind()).has_table("secrets"):
        _add_secrets()
    op.add_column("amphorae", sa.Column("host", sa.String(255), nullable=False, server_default=""))
    op.add_column("amphorae", sa.Column("heartbeat_key_version", sa.Integer, nullable=False, server_default="1"))
    # Nobody had spares before, so every order was for the appliance that the log names.
    op.add_column("orders", sa.Column("appliance_id", sa.String(36), nullable=False, server_default=""))
    op.execute(
        "UPDATE orders SET appliance_id = coalesce("
        "(SELECT appliance_id FROM amphorae WHERE amphorae.amphora_id = orders.amphora_id), '')"
    )
    op.create_index("ix_orders_appliance_id", "orders", ["appliance_id"])


def _add_secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("secret_ref", sa.String(255), primary_key=True),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "secret_uses",
        sa.Column("amphora_id", sa.String(36), primary_key=True),
        sa.Column("purpose", sa.String(16), primary_key=True),
        sa.Column("secret_ref", sa.String(255), primary_key=True, index=True),
    )
