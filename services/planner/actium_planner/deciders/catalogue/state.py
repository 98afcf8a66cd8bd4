"""What is on offer, and how events change it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from immutables import Map

from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile
from actium_shared.events import catalogue as events
from actium_shared.events.catalogue import CatalogueEvent


@dataclass(frozen=True, slots=True)
class CatalogueState:
    """Everything by id, zones by name."""

    flavor_profiles: Map[str, FlavorProfile] = field(default_factory=Map)
    flavors: Map[str, Flavor] = field(default_factory=Map)
    zone_profiles: Map[str, AvailabilityZoneProfile] = field(default_factory=Map)
    zones: Map[str, AvailabilityZone] = field(default_factory=Map)


def fold(state: CatalogueState, happened: Iterable[CatalogueEvent]) -> CatalogueState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(state: CatalogueState, event: CatalogueEvent) -> CatalogueState:
    """Give the state after one event."""
    match event:
        case events.FlavorProfileCreated(flavor_profile=profile) | events.FlavorProfileUpdated(flavor_profile=profile):
            return replace(state, flavor_profiles=state.flavor_profiles.set(profile.id, profile))
        case events.FlavorProfileDeleted(flavor_profile_id=profile_id):
            return replace(state, flavor_profiles=state.flavor_profiles.delete(profile_id))
        case events.FlavorCreated(flavor=flavor) | events.FlavorUpdated(flavor=flavor):
            return replace(state, flavors=state.flavors.set(flavor.id, flavor))
        case events.FlavorDeleted(flavor_id=flavor_id):
            return replace(state, flavors=state.flavors.delete(flavor_id))
        case _:
            return _evolve_zones(state, event)


def _evolve_zones(state: CatalogueState, event: CatalogueEvent) -> CatalogueState:
    match event:
        case (
            events.AvailabilityZoneProfileCreated(availability_zone_profile=profile)
            | events.AvailabilityZoneProfileUpdated(availability_zone_profile=profile)
        ):
            return replace(state, zone_profiles=state.zone_profiles.set(profile.id, profile))
        case events.AvailabilityZoneProfileDeleted(availability_zone_profile_id=profile_id):
            return replace(state, zone_profiles=state.zone_profiles.delete(profile_id))
        case (
            events.AvailabilityZoneCreated(availability_zone=zone)
            | events.AvailabilityZoneUpdated(availability_zone=zone)
        ):
            return replace(state, zones=state.zones.set(zone.name, zone))
        case events.AvailabilityZoneDeleted(name=name):
            return replace(state, zones=state.zones.delete(name))
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")
