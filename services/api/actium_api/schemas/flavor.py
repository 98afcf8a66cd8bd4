"""Flavors and flavor profiles as operators send them."""

from actium_api.schemas.fields import Create, Flag, Text, Uuid
from actium_api.schemas.site import ProfileData, SitePut
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands.planner import FlavorChanges, FlavorProfileChanges


class FlavorPost(Create):
    name: Text
    description: Text = ""
    enabled: Flag = True
    flavor_profile_id: Uuid

    def wish(self, flavor_id: str) -> Flavor:
        """Give the flavor that is wished for."""
        return Flavor(id=flavor_id, **self.model_dump())


class FlavorPut(SitePut):
    name: Text = ""
    description: Text = ""
    enabled: Flag = True

    def changes(self) -> FlavorChanges:
        """Give what shall change."""
        return FlavorChanges(**self.sent())


class FlavorProfilePost(Create):
    name: Text
    provider_name: Text
    flavor_data: ProfileData

    def wish(self, profile_id: str) -> FlavorProfile:
        """Give the profile that is wished for."""
        return FlavorProfile(id=profile_id, **self.model_dump())


class FlavorProfilePut(SitePut):
    name: Text = ""
    provider_name: Text = ""
    flavor_data: ProfileData = ""

    def changes(self) -> FlavorProfileChanges:
        """Give what shall change."""
        return FlavorProfileChanges(**self.sent())
