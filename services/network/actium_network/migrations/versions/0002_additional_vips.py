"""More VIPs than one: the others of a load balancer, beside its first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # For a while the column stood in 0001: databases that were made then have it already.
    if "additional" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("vips")}:
        op.add_column("vips", sa.Column("additional", sa.LargeBinary))
