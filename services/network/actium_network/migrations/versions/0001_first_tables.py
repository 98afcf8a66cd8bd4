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
        "aggregates",
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "networks",
        sa.Column("network_id", sa.String(36), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False, index=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subnets",
        sa.Column("subnet_id", sa.String(36), primary_key=True),
        sa.Column("network_id", sa.String(36), nullable=False, index=True),
    )
    op.create_table(
        "addresses",
        sa.Column("subnet_id", sa.String(36), primary_key=True),
        sa.Column("address", sa.String(45), primary_key=True),
        sa.Column("port_id", sa.String(36), nullable=False, unique=True),
    )
    op.create_table(
        "vips",
        sa.Column("load_balancer_id", sa.String(36), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("asked_at_epoch_s", sa.Float, nullable=False),
    )
    op.create_table("load_balancers", sa.Column("load_balancer_id", sa.String(36), primary_key=True))
    op.create_table(
        "ports",
        sa.Column("port_id", sa.String(36), primary_key=True),
        sa.Column("amphora_id", sa.String(36), nullable=False, index=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_table(
        "settlements",
        sa.Column("amphora_id", sa.String(36), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("type", sa.String(64), primary_key=True),
        sa.Column("target", sa.String(36), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("correlation_id", sa.String(128), nullable=False),
        sa.Column("traceparent", sa.String(64)),
    )
