"""What the events of the catalogue and of projects do to rows."""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from actium_api.read_model import catalogue_documents, statements
from actium_api.read_model.catalogue_tables import (
    AVAILABILITY_ZONE_PROFILES,
    AVAILABILITY_ZONES,
    FLAVOR_PROFILES,
    FLAVORS,
    QUOTAS,
)
from actium_api.read_model.rows import Rows, moment
from actium_shared.event_store import Recorded
from actium_shared.events import catalogue as events
from actium_shared.events.project import QuotaSet
from actium_shared.message import Event


def apply(rows: Rows, recorded: Recorded) -> None:
    """Change the rows as this commit says."""
    at = moment(recorded.commit.decided_at)
    for event in recorded.commit.events:
        _apply(rows, event, at=at)


def _apply(rows: Rows, event: Event, *, at: str) -> None:
    match event:
        case events.FlavorCreated(flavor=one) | events.FlavorUpdated(flavor=one):
            _put(rows, FLAVORS, one.id, catalogue_documents.shown(one), at=at)
        case events.FlavorDeleted(flavor_id=row_id):
            rows.delete(FLAVORS.c.id, [row_id])
        case events.FlavorProfileCreated(flavor_profile=profile) | events.FlavorProfileUpdated(flavor_profile=profile):
            _put(rows, FLAVOR_PROFILES, profile.id, catalogue_documents.shown(profile), at=at)
        case events.FlavorProfileDeleted(flavor_profile_id=row_id):
            rows.delete(FLAVOR_PROFILES.c.id, [row_id])
        case QuotaSet(project_id=project_id, limits=limits):
            _put_quota(rows, project_id, limits, at=at)
        case _:
            _apply_to_zones(rows, event, at=at)


def _apply_to_zones(rows: Rows, event: Event, *, at: str) -> None:
    match event:
        case (
            events.AvailabilityZoneCreated(availability_zone=zone)
            | events.AvailabilityZoneUpdated(availability_zone=zone)
        ):
            _put(rows, AVAILABILITY_ZONES, zone.name, catalogue_documents.shown(zone), at=at)
        case events.AvailabilityZoneDeleted(name=name):
            rows.delete(AVAILABILITY_ZONES.c.id, [name])
        case (
            events.AvailabilityZoneProfileCreated(availability_zone_profile=profile)
            | events.AvailabilityZoneProfileUpdated(availability_zone_profile=profile)
        ):
            _put(rows, AVAILABILITY_ZONE_PROFILES, profile.id, catalogue_documents.shown(profile), at=at)
        case events.AvailabilityZoneProfileDeleted(availability_zone_profile_id=row_id):
            rows.delete(AVAILABILITY_ZONE_PROFILES.c.id, [row_id])
        case _:
            return


def _put_quota(rows: Rows, project_id: str, limits: Mapping[str, int], *, at: str) -> None:
    _put(rows, QUOTAS, project_id, catalogue_documents.quota(project_id, limits), at=at)


def _put(rows: Rows, table: sa.Table, row_id: str, document: Mapping[str, object], *, at: str) -> None:
    """Change the row, or make it; its body is the document, and its columns what of that can be filtered by."""
    values = {name: document[name] for name in table.info["shown"]}
    values["body"] = msgspec.json.encode(document)
    done = rows.connection.execute(statements.update(table.c.id), {"key": row_id, **values})
    if done.rowcount == 0:
        rows.connection.execute(statements.insert(table), {"id": row_id, "created_at": at, **values})
