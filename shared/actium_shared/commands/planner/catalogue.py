"""What operators ask of the planner about the catalogue. `changes` hold only what was sent."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile
from actium_shared.message import Command
from actium_shared.wishes import Value


class CatalogueCommand(Command, frozen=True, kw_only=True):
    """Base of this module's commands: the catalogue is one aggregate."""

    SERVICE: ClassVar[str] = "planner"

    @property
    def target(self) -> str:
        return "catalogue"


class CreateFlavorProfile(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavorprofile.create"

    flavor_profile: FlavorProfile


class FlavorProfileChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    provider_name: str | UnsetType = UNSET
    flavor_data: str | UnsetType = UNSET


class UpdateFlavorProfile(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavorprofile.update"

    flavor_profile_id: str
    changes: FlavorProfileChanges


class DeleteFlavorProfile(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavorprofile.delete"

    flavor_profile_id: str


class CreateFlavor(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavor.create"

    flavor: Flavor


class FlavorChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class UpdateFlavor(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavor.update"

    flavor_id: str
    changes: FlavorChanges


class DeleteFlavor(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "flavor.delete"

    flavor_id: str


class CreateAvailabilityZoneProfile(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzoneprofile.create"

    availability_zone_profile: AvailabilityZoneProfile


class AvailabilityZoneProfileChanges(Value, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    provider_name: str | UnsetType = UNSET
    availability_zone_data: str | UnsetType = UNSET


class UpdateAvailabilityZoneProfile(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzoneprofile.update"

    availability_zone_profile_id: str
    changes: AvailabilityZoneProfileChanges


class DeleteAvailabilityZoneProfile(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzoneprofile.delete"

    availability_zone_profile_id: str


class CreateAvailabilityZone(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzone.create"

    availability_zone: AvailabilityZone


class AvailabilityZoneChanges(Value, frozen=True, kw_only=True):
    description: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class UpdateAvailabilityZone(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzone.update"

    name: str
    changes: AvailabilityZoneChanges


class DeleteAvailabilityZone(CatalogueCommand, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "availabilityzone.delete"

    name: str


COMMANDS = (
    CreateFlavorProfile,
    UpdateFlavorProfile,
    DeleteFlavorProfile,
    CreateFlavor,
    UpdateFlavor,
    DeleteFlavor,
    CreateAvailabilityZoneProfile,
    UpdateAvailabilityZoneProfile,
    DeleteAvailabilityZoneProfile,
    CreateAvailabilityZone,
    UpdateAvailabilityZone,
    DeleteAvailabilityZone,
)
