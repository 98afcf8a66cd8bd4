"""The tables of what operators settle: flavors, zones, their profiles, and projects' quotas. No load balancer is in here."""

from typing import Any

import sqlalchemy as sa

from actium_api.read_model.tables import ID, METADATA, TIME
from actium_shared.quotas import RESOURCES

NAME = sa.String(255)


def _table(name: str, *shown: sa.Column[Any], key: sa.types.TypeEngine[str] = ID) -> sa.Table:
    """Make a table: what all have, and the fields that replies show. `created_at` is for the order of lists only."""
    return sa.Table(
        name,
        METADATA,
        sa.Column("id", key, primary_key=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        *shown,
        sa.Index(f"{name}_order", "created_at", "id"),
        info={"shown": tuple(column.name for column in shown)},
    )


FLAVOR_PROFILES = _table(
    "flavor_profiles",
    sa.Column("name", NAME, nullable=False),
    sa.Column("provider_name", NAME, nullable=False),
    sa.Column("flavor_data", sa.Text, nullable=False),
)
FLAVORS = _table(
    "flavors",
    sa.Column("name", NAME, nullable=False),
    sa.Column("description", NAME, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("flavor_profile_id", ID, nullable=False),
)
AVAILABILITY_ZONE_PROFILES = _table(
    "availability_zone_profiles",
    sa.Column("name", NAME, nullable=False),
    sa.Column("provider_name", NAME, nullable=False),
    sa.Column("availability_zone_data", sa.Text, nullable=False),
)
AVAILABILITY_ZONES = _table(
    "availability_zones",
    sa.Column("name", NAME, nullable=False),
    sa.Column("description", NAME, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("availability_zone_profile_id", ID, nullable=False),
    key=NAME,
)
"""A zone's name is its id."""

QUOTAS = _table(
    "quotas",
    sa.Column("project_id", NAME, nullable=False),
    *(sa.Column(resource, sa.BigInteger) for resource in RESOURCES),
    key=NAME,
)
"""Projects that have or had limits of their own; null is the site's."""
