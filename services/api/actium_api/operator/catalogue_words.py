"""What happens to the catalogue and to quotas, in words for people. Pure."""

from actium_shared.events import catalogue
from actium_shared.events.project import QuotaSet
from actium_shared.message import Event


def of_catalogue(event: Event) -> str:
    """Say what happened; nothing about other things' events."""
    match event:
        case catalogue.FlavorCreated(flavor=one) | catalogue.FlavorUpdated(flavor=one):
            return f'flavor "{one.name}" of profile {one.flavor_profile_id}{_state(one.enabled)}'
        case catalogue.FlavorDeleted(flavor_id=deleted):
            return f"flavor {deleted} is offered no more"
        case catalogue.FlavorProfileCreated(flavor_profile=one) | catalogue.FlavorProfileUpdated(flavor_profile=one):
            return f'flavor profile "{one.name}" tells {one.provider_name}: {one.flavor_data}'
        case catalogue.FlavorProfileDeleted(flavor_profile_id=deleted):
            return f"flavor profile {deleted} is gone"
        case QuotaSet(project_id=project_id, limits=limits):
            told = ", ".join(f"{resource} {limit if limit >= 0 else 'unlimited'}" for resource, limit in limits.items())
            return f"project {project_id} may have {told or 'as much as the site allows all'}"
        case _:
            return _of_zones(event)


def _of_zones(event: Event) -> str:
    match event:
        case (
            catalogue.AvailabilityZoneCreated(availability_zone=one)
            | catalogue.AvailabilityZoneUpdated(availability_zone=one)
        ):
            return f'zone "{one.name}" of profile {one.availability_zone_profile_id}{_state(one.enabled)}'
        case catalogue.AvailabilityZoneDeleted(name=name):
            return f'zone "{name}" is offered no more'
        case (
            catalogue.AvailabilityZoneProfileCreated(availability_zone_profile=one)
            | catalogue.AvailabilityZoneProfileUpdated(availability_zone_profile=one)
        ):
            return f'zone profile "{one.name}" tells {one.provider_name}: {one.availability_zone_data}'
        case catalogue.AvailabilityZoneProfileDeleted(availability_zone_profile_id=deleted):
            return f"zone profile {deleted} is gone"
        case _:
            return ""


def _state(enabled: bool) -> str:
    return "" if enabled else ", disabled"
