"""
What happens to the catalogue: flavors, availability zones and their profiles. One aggregate, written by the planner.

Field names are the storage format.
"""

from typing import ClassVar

from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile
from actium_shared.message import Event

CATALOGUE_ID = "catalogue"
"""There is one."""


class CatalogueEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""


class FlavorProfileCreated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavorprofile.created"

    flavor_profile: FlavorProfile


class FlavorProfileUpdated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavorprofile.updated"

    flavor_profile: FlavorProfile


class FlavorProfileDeleted(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavorprofile.deleted"

    flavor_profile_id: str


class FlavorCreated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavor.created"

    flavor: Flavor


class FlavorUpdated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavor.updated"

    flavor: Flavor


class FlavorDeleted(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavor.deleted"

    flavor_id: str


class AvailabilityZoneProfileCreated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzoneprofile.created"

    availability_zone_profile: AvailabilityZoneProfile


class AvailabilityZoneProfileUpdated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzoneprofile.updated"

    availability_zone_profile: AvailabilityZoneProfile


class AvailabilityZoneProfileDeleted(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzoneprofile.deleted"

    availability_zone_profile_id: str


class AvailabilityZoneCreated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzone.created"

    availability_zone: AvailabilityZone


class AvailabilityZoneUpdated(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzone.updated"

    availability_zone: AvailabilityZone


class AvailabilityZoneDeleted(CatalogueEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzone.deleted"

    name: str


EVENTS = (
    FlavorProfileCreated,
    FlavorProfileUpdated,
    FlavorProfileDeleted,
    FlavorCreated,
    FlavorUpdated,
    FlavorDeleted,
    AvailabilityZoneProfileCreated,
    AvailabilityZoneProfileUpdated,
    AvailabilityZoneProfileDeleted,
    AvailabilityZoneCreated,
    AvailabilityZoneUpdated,
    AvailabilityZoneDeleted,
)
