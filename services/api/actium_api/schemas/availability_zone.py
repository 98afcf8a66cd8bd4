"""Availability zones and their profiles as operators send them."""

from typing import Annotated

from pydantic import AfterValidator

from actium_api.schemas.fields import Create, Flag, Text, Uuid
from actium_api.schemas.site import ProfileData, SitePut
from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile
from actium_shared.commands.planner import AvailabilityZoneChanges, AvailabilityZoneProfileChanges


def _addressable(name: str) -> str:
    """Refuse what could never be shown or deleted: a zone's name is the last part of its path."""
    if name in ("", ".", "..") or "/" in name:
        raise ValueError("Value should be the last part of a path: not empty, no dots alone, and without a slash")
    return name


class AvailabilityZonePost(Create):
    name: Annotated[Text, AfterValidator(_addressable)]
    description: Text = ""
    enabled: Flag = True
    availability_zone_profile_id: Uuid

    def wish(self, zone_id: str) -> AvailabilityZone:
        """Give the zone that is wished for."""
        return AvailabilityZone(id=zone_id, **self.model_dump())


class AvailabilityZonePut(SitePut):
    description: Text = ""
    enabled: Flag = True

    def changes(self) -> AvailabilityZoneChanges:
        """Give what shall change."""
        return AvailabilityZoneChanges(**self.sent())


class AvailabilityZoneProfilePost(Create):
    name: Text
    provider_name: Text
    availability_zone_data: ProfileData

    def wish(self, profile_id: str) -> AvailabilityZoneProfile:
        """Give the profile that is wished for."""
        return AvailabilityZoneProfile(id=profile_id, **self.model_dump())


class AvailabilityZoneProfilePut(SitePut):
    name: Text = ""
    provider_name: Text = ""
    availability_zone_data: ProfileData = ""

    def changes(self) -> AvailabilityZoneProfileChanges:
        """Give what shall change."""
        return AvailabilityZoneProfileChanges(**self.sent())
