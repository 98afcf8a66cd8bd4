"""The half of the catalogue's decisions that is about availability zones and their profiles."""

from collections.abc import Collection, Container, Sequence

from msgspec import UNSET

from actium_planner.deciders.catalogue.state import CatalogueState
from actium_planner.validation import provider_data
from actium_planner.validation.catalogue import already, in_use, reserved, unknown_profile
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import missing
from actium_shared.commands import planner as commands
from actium_shared.events import catalogue as events
from actium_shared.events.catalogue import CatalogueEvent
from actium_shared.message import Rejected

Decision = Sequence[CatalogueEvent] | Rejected


def decide(
    command: commands.CatalogueCommand, state: CatalogueState, used: Container[str], providers: Collection[str]
) -> Decision:
    """Give what happens to zones and their profiles; `used` are the names of zones that load balancers are in."""
    match command:
        case commands.CreateAvailabilityZoneProfile():
            return _create_profile(command, state, providers)
        case commands.UpdateAvailabilityZoneProfile():
            return _update_profile(command, state, providers)
        case commands.DeleteAvailabilityZoneProfile():
            return _delete_profile(command, state)
        case commands.CreateAvailabilityZone():
            return _create_zone(command, state)
        case commands.UpdateAvailabilityZone():
            return _update_zone(command, state)
        case commands.DeleteAvailabilityZone():
            return _delete_zone(command, state, used)
        case _:
            raise AssertionError(f"{command.TYPE} is not known here")


# -- profiles


def _create_profile(
    command: commands.CreateAvailabilityZoneProfile, state: CatalogueState, providers: Collection[str]
) -> Decision:
    profile = command.availability_zone_profile
    if profile.id in state.zone_profiles:
        return []
    data = provider_data.of_zone(profile.provider_name, profile.availability_zone_data, providers=providers)
    refusal = reserved("id", profile.id) or (data if isinstance(data, Rejected) else None)
    return refusal or [events.AvailabilityZoneProfileCreated(availability_zone_profile=profile)]


def _update_profile(
    command: commands.UpdateAvailabilityZoneProfile, state: CatalogueState, providers: Collection[str]
) -> Decision:
    profile = state.zone_profiles.get(command.availability_zone_profile_id)
    if profile is None:
        return missing("Availability Zone Profile", command.availability_zone_profile_id)
    changes = command.changes
    if _is_used(state, profile.id) and (changes.provider_name, changes.availability_zone_data) != (UNSET, UNSET):
        return in_use("Availability zone profile", profile.id, "availability zones; only its name can be changed")
    changed = apply_changes(profile, changes)
    if changed == profile:
        return []
    data = provider_data.of_zone(changed.provider_name, changed.availability_zone_data, providers=providers)
    if isinstance(data, Rejected):
        return data
    return [events.AvailabilityZoneProfileUpdated(availability_zone_profile=changed)]


def _delete_profile(command: commands.DeleteAvailabilityZoneProfile, state: CatalogueState) -> Decision:
    profile_id = command.availability_zone_profile_id
    if profile_id not in state.zone_profiles:
        return missing("Availability Zone Profile", profile_id)
    if _is_used(state, profile_id):
        return in_use("Availability zone profile", profile_id, "availability zones")
    return [events.AvailabilityZoneProfileDeleted(availability_zone_profile_id=profile_id)]


def _is_used(state: CatalogueState, profile_id: str) -> bool:
    return any(zone.availability_zone_profile_id == profile_id for zone in state.zones.values())


# -- zones


def _create_zone(command: commands.CreateAvailabilityZone, state: CatalogueState) -> Decision:
    zone = command.availability_zone
    held = state.zones.get(zone.name)
    if held is not None:
        repeated = bool(zone.id) and held.id == zone.id
        return [] if repeated else already("availability zone", zone.name)
    refusal = reserved("name", zone.name)
    if refusal is None and zone.availability_zone_profile_id not in state.zone_profiles:
        refusal = unknown_profile("availability_zone_profile_id", zone.availability_zone_profile_id)
    return refusal or [events.AvailabilityZoneCreated(availability_zone=zone)]


def _update_zone(command: commands.UpdateAvailabilityZone, state: CatalogueState) -> Decision:
    zone = state.zones.get(command.name)
    if zone is None:
        return missing("Availability Zone", command.name)
    changed = apply_changes(zone, command.changes)
    return [] if changed == zone else [events.AvailabilityZoneUpdated(availability_zone=changed)]


def _delete_zone(command: commands.DeleteAvailabilityZone, state: CatalogueState, used: Container[str]) -> Decision:
    if command.name not in state.zones:
        return missing("Availability Zone", command.name)
    if command.name in used:
        return in_use("Availability zone", command.name, "load balancers")
    return [events.AvailabilityZoneDeleted(name=command.name)]
