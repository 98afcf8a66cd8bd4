"""What operators offer, as values: flavors, availability zones, and the profiles that say what is behind them."""

from collections.abc import Mapping

from actium_shared.wishes import Value

Data = Mapping[str, str | int | bool | tuple[str, ...]]


class Flavor(Value, frozen=True, kw_only=True):
    """A kind of load balancer that tenants can choose."""

    id: str
    name: str
    flavor_profile_id: str
    description: str = ""
    enabled: bool = True


class FlavorProfile(Value, frozen=True, kw_only=True):
    """What a provider is told about a flavor; `flavor_data` is JSON text as the operator wrote it."""

    id: str
    name: str
    provider_name: str
    flavor_data: str


class AvailabilityZone(Value, frozen=True, kw_only=True):
    """A place that tenants can choose; known by its name. `id` is never shown: a repeated creation is recognised by it."""

    name: str
    availability_zone_profile_id: str
    description: str = ""
    enabled: bool = True
    id: str = ""


class AvailabilityZoneProfile(Value, frozen=True, kw_only=True):
    """What a provider is told about a zone; `availability_zone_data` is JSON text as the operator wrote it."""

    id: str
    name: str
    provider_name: str
    availability_zone_data: str
