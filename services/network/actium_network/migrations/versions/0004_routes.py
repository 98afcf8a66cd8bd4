"""VIPs that are routed to appliances, and the addresses that they are routed to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "routings",
        sa.Column("appliance_id", sa.String(36), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("addresses", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "routed_vips",
        sa.Column("subnet_id", sa.String(36), primary_key=True),
        sa.Column("address", sa.String(45), primary_key=True),
        sa.Column("appliance_id", sa.String(36), nullable=False, index=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
