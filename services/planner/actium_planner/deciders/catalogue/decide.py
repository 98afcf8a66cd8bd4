"""Is an operator's wish about the catalogue allowed, and what happens then."""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from actium_planner.deciders.catalogue import zones
from actium_planner.deciders.catalogue.state import CatalogueState
from actium_planner.validation import provider_data
from actium_planner.validation.catalogue import already, in_use, reserved, unknown_profile
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import missing
from actium_shared.catalogue import Flavor
from actium_shared.commands import planner as commands
from actium_shared.events import catalogue as events
from actium_shared.events.catalogue import CatalogueEvent
from actium_shared.message import Rejected
from actium_shared.provider_options import PROVIDERS

Decision = Sequence[CatalogueEvent] | Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What load balancers have chosen: flavors by id, zones by name."""

    flavors: Container[str] = ()
    zones: Container[str] = ()


NOTHING_IN_USE = InUse()


def decide(
    command: commands.CatalogueCommand,
    state: CatalogueState,
    *,
    used: InUse = NOTHING_IN_USE,
    providers: Collection[str] = PROVIDERS,
) -> Decision:
    """Give what happens to the catalogue, or why nothing may; `providers` are those that are enabled."""
    match command:
        case commands.CreateFlavorProfile():
            return _create_profile(command, state, providers)
        case commands.UpdateFlavorProfile():
            return _update_profile(command, state, providers)
        case commands.DeleteFlavorProfile():
            return _delete_profile(command, state)
        case commands.CreateFlavor():
            return _create_flavor(command, state)
        case commands.UpdateFlavor():
            return _update_flavor(command, state)
        case commands.DeleteFlavor():
            return _delete_flavor(command, state, used.flavors)
        case _:
            return zones.decide(command, state, used.zones, providers)


# -- flavor profiles


def _create_profile(
    command: commands.CreateFlavorProfile, state: CatalogueState, providers: Collection[str]
) -> Decision:
    profile = command.flavor_profile
    if profile.id in state.flavor_profiles:
        return []
    data = provider_data.of_flavor(profile.provider_name, profile.flavor_data, providers=providers)
    refusal = reserved("id", profile.id) or (data if isinstance(data, Rejected) else None)
    return refusal or [events.FlavorProfileCreated(flavor_profile=profile)]


def _update_profile(
    command: commands.UpdateFlavorProfile, state: CatalogueState, providers: Collection[str]
) -> Decision:
    profile = state.flavor_profiles.get(command.flavor_profile_id)
    if profile is None:
        return missing("Flavor Profile", command.flavor_profile_id)
    changes = command.changes
    if _is_used(state, profile.id) and (changes.provider_name, changes.flavor_data) != (UNSET, UNSET):
        return in_use("Flavor profile", profile.id, "flavors; only its name can be changed")
    changed = apply_changes(profile, changes)
    if changed == profile:
        return []
    data = provider_data.of_flavor(changed.provider_name, changed.flavor_data, providers=providers)
    return data if isinstance(data, Rejected) else [events.FlavorProfileUpdated(flavor_profile=changed)]


def _delete_profile(command: commands.DeleteFlavorProfile, state: CatalogueState) -> Decision:
    if command.flavor_profile_id not in state.flavor_profiles:
        return missing("Flavor Profile", command.flavor_profile_id)
    if _is_used(state, command.flavor_profile_id):
        return in_use("Flavor profile", command.flavor_profile_id, "flavors")
    return [events.FlavorProfileDeleted(flavor_profile_id=command.flavor_profile_id)]


def _is_used(state: CatalogueState, profile_id: str) -> bool:
    return any(flavor.flavor_profile_id == profile_id for flavor in state.flavors.values())


# -- flavors


def _create_flavor(command: commands.CreateFlavor, state: CatalogueState) -> Decision:
    flavor = command.flavor
    if flavor.id in state.flavors:
        return []
    refusal = reserved("id", flavor.id) or _name_taken(flavor, state)
    if refusal is None and flavor.flavor_profile_id not in state.flavor_profiles:
        refusal = unknown_profile("flavor_profile_id", flavor.flavor_profile_id)
    return refusal or [events.FlavorCreated(flavor=flavor)]


def _update_flavor(command: commands.UpdateFlavor, state: CatalogueState) -> Decision:
    flavor = state.flavors.get(command.flavor_id)
    if flavor is None:
        return missing("Flavor", command.flavor_id)
    changed = apply_changes(flavor, command.changes)
    if changed == flavor:
        return []
    return _name_taken(changed, state) or [events.FlavorUpdated(flavor=changed)]


def _delete_flavor(command: commands.DeleteFlavor, state: CatalogueState, used: Container[str]) -> Decision:
    if command.flavor_id not in state.flavors:
        return missing("Flavor", command.flavor_id)
    if command.flavor_id in used:
        return in_use("Flavor", command.flavor_id, "load balancers")
    return [events.FlavorDeleted(flavor_id=command.flavor_id)]


def _name_taken(flavor: Flavor, state: CatalogueState) -> Rejected | None:
    taken = any(other.name == flavor.name for other in state.flavors.values() if other.id != flavor.id)
    return already("flavor", flavor.name) if taken else None
