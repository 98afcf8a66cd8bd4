"""Load balancers that another vendor's driver is asked to create: their VIPs wait for the answer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "proposals",
        sa.Column("proposal_id", sa.String(255), primary_key=True),
        sa.Column("load_balancer_id", sa.String(36), nullable=False, index=True),
    )
