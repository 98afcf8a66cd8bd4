"""Whose a flavor is: its profile says."""

import sqlalchemy as sa

from actium_api.read_model.catalogue_tables import FLAVOR_PROFILES, FLAVORS


def provider(connection: sa.Connection, flavor_id: str) -> str | None:
    """Give the provider that a flavor's profile names, or None where there is no such flavor."""
    query = (
        sa.select(FLAVOR_PROFILES.c.provider_name)
        .join_from(FLAVORS, FLAVOR_PROFILES, FLAVORS.c.flavor_profile_id == FLAVOR_PROFILES.c.id)
        .where(FLAVORS.c.id == flavor_id)
    )
    found: str | None = connection.scalar(query)
    return found
