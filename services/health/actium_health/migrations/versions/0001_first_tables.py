"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    _what_is_wished_for()
    _what_runs()
    _what_was_said()


def _what_is_wished_for() -> None:
    op.create_table(
        "objects",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", ID, primary_key=True),
        sa.Column("load_balancer_id", ID, nullable=False, index=True),
        sa.Column("parent_id", ID, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("monitored", sa.Boolean, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "placements",
        sa.Column("load_balancer_id", ID, primary_key=True),
        sa.Column("appliance_id", ID, nullable=False, index=True),
    )
    op.create_table(
        "bundles",
        sa.Column("appliance_id", ID, primary_key=True),
        sa.Column("bundle", sa.BigInteger, primary_key=True),
        sa.Column("load_balancer_id", ID, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
    )


def _what_runs() -> None:
    op.create_table(
        "amphorae",
        sa.Column("id", ID, primary_key=True),
        sa.Column("appliance_id", ID, nullable=False, index=True),
        sa.Column("dismissed", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("key_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "totals",
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


def _what_was_said() -> None:
    op.create_table(
        "statuses",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", ID, primary_key=True),
        sa.Column("load_balancer_id", ID, nullable=False, index=True),
        sa.Column("operating_status", sa.String(16), nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("load_balancer_id", ID, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
