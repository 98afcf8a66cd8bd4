"""Which edition of the authority's credentials each amphora has taken."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # No authority was ever replaced before this.
    op.add_column("amphorae", sa.Column("credentials_edition", sa.Integer, nullable=False, server_default="1"))
