"""Who is expected to beat, where, and what was said of its life. All but the traffic totals is read from the log anew."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.String(64)
FROM_THE_LOG = ("objects", "placements", "bundles", "statuses", "records", "positions")


def upgrade() -> None:
    # Hosts and spares stand in events that were read long ago: the positions go, and with them all rows that follow.
    for name in FROM_THE_LOG:
        op.execute(sa.delete(sa.table(name)))
    op.drop_table("amphorae")
    op.create_table(
        "amphorae",
        sa.Column("id", ID, primary_key=True),
        sa.Column("appliance_id", ID, nullable=False, index=True),
        sa.Column("dismissed", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("key_version", sa.Integer, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("spare", sa.Boolean, nullable=False),
    )
    _what_was_said()


def _what_was_said() -> None:
    op.create_table(
        "liveness",
        sa.Column("amphora_id", ID, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "losses",
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("amphora_id", ID, primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
