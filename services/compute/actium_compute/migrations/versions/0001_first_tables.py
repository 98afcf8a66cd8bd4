"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "amphorae",
        sa.Column("amphora_id", sa.String(36), primary_key=True),
        sa.Column("appliance_id", sa.String(36), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False, index=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("image_tag", sa.String(128)),
        sa.Column("management_address", sa.String(45)),
        sa.Column("certificate_expires_at_epoch_s", sa.BigInteger),
        sa.Column("configured_bundle", sa.BigInteger, nullable=False),
        sa.Column("refused_bundle", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64)),
    )
    op.create_table(
        "ports",
        sa.Column("port_id", sa.String(36), primary_key=True),
        sa.Column("amphora_id", sa.String(36), nullable=False, index=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "orders",
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
    )
    op.create_table(
        "attachments",
        sa.Column("amphora_id", sa.String(36), primary_key=True),
        sa.Column("port_id", sa.String(36), primary_key=True),
    )
