"""What a new load balancer takes from the catalogue: its provider, and its flavor's and zone's data, copied for good."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from actium_planner.deciders.catalogue.state import CatalogueState
from actium_planner.validation import provider_data
from actium_planner.validation.refusals import invalid
from actium_shared.message import Rejected
from actium_shared.provider_options import ACTIUM, PROVIDERS, is_ours, same_driver
from actium_shared.wishes import SRIOV, LoadBalancer

Chosen = tuple[str, Mapping[str, Any]]
"""A provider's name and the data for it."""


def furnish(
    wish: LoadBalancer,
    catalogue: CatalogueState,
    *,
    providers: Collection[str] = PROVIDERS,
    is_routed: bool | None = None,
) -> LoadBalancer | Rejected:
    """
    Give the load balancer as it shall be created, or why not; `providers` are those that are enabled.

    `is_routed`: whether a router is on its VIP's network, as far as is known.

    A provider that is empty is the flavor's or, without one, ours. Without flavor or zone of ours the wish's own data
    stand: drivers that live elsewhere have a catalogue of theirs.
    """
    flavor = _flavor(wish.flavor_id, catalogue, providers)
    if isinstance(flavor, Rejected):
        return flavor
    provider = wish.provider or (flavor[0] if flavor else ACTIUM)
    zone = _zone(wish.availability_zone, catalogue, providers)
    if isinstance(zone, Rejected):
        return zone
    refusal = _provider_refusal(provider, flavor, zone, providers)
    if refusal is not None:
        return refusal
    flavor_data = flavor[1] if flavor else _given(wish.flavor, provider, provider_data.of_flavor, providers)
    if isinstance(flavor_data, Rejected):
        return flavor_data
    zone_data = zone[1] if zone else _given(wish.availability_zone_data, provider, provider_data.of_zone, providers)
    if isinstance(zone_data, Rejected):
        return zone_data
    return (
        _wrong_network(wish, zone_data)
        or (_unroutable(wish, flavor_data) if is_routed is False and is_ours(provider) else None)
        or replace(
            wish,
            provider=provider,
            flavor=flavor_data,
            availability_zone_data=zone_data,
            vip_vnic_type=SRIOV if flavor_data.get("sriov_vip") is True else wish.vip_vnic_type,
        )
    )


class _Reader(Protocol):
    def __call__(self, provider: str, text: str, *, providers: Collection[str]) -> Mapping[str, Any] | Rejected: ...


def _given(
    data: Mapping[str, Any], provider: str, read: _Reader, providers: Collection[str]
) -> Mapping[str, Any] | Rejected:
    """Check data that came with the wish as those of a profile are."""
    return read(provider, msgspec.json.encode(data).decode(), providers=providers) if data else {}


def _flavor(flavor_id: str | None, catalogue: CatalogueState, providers: Collection[str]) -> Chosen | None | Rejected:
    if flavor_id is None:
        return None
    flavor = catalogue.flavors.get(flavor_id)
    if flavor is None:
        return _unavailable("flavor_id", f"There is no flavor {flavor_id}.")
    if not flavor.enabled:
        return _unavailable("flavor_id", f"The flavor {flavor.name} ({flavor_id}) is disabled.")
    profile = catalogue.flavor_profiles[flavor.flavor_profile_id]
    data = provider_data.of_flavor(profile.provider_name, profile.flavor_data, providers=providers)
    return data if isinstance(data, Rejected) else (profile.provider_name, data)


def _zone(name: str | None, catalogue: CatalogueState, providers: Collection[str]) -> Chosen | None | Rejected:
    if name is None:
        return None
    zone = catalogue.zones.get(name)
    if zone is None:
        return _unavailable("availability_zone", f"There is no availability zone {name}.")
    if not zone.enabled:
        return _unavailable("availability_zone", f"The availability zone {name} is disabled.")
    profile = catalogue.zone_profiles[zone.availability_zone_profile_id]
    data = provider_data.of_zone(profile.provider_name, profile.availability_zone_data, providers=providers)
    return data if isinstance(data, Rejected) else (profile.provider_name, data)


def _unavailable(field: str, why: str) -> Rejected:
    return invalid(f"Invalid input for field/attribute {field}. {why}", field=field)


def _provider_refusal(
    provider: str, flavor: Chosen | None, zone: Chosen | None, providers: Collection[str]
) -> Rejected | None:
    if provider not in providers:
        detail = f"Provider '{provider}' is not enabled: provider must be one of {', '.join(providers)}."
        return invalid(detail, field="provider")
    for what, chosen in (("flavor", flavor), ("availability zone", zone)):
        if chosen is not None and not same_driver(provider, chosen[0]):
            return invalid(f"The {what} is for provider '{chosen[0]}', and provider is '{provider}'.", field="provider")
    return None


def _wrong_network(wish: LoadBalancer, zone_data: Mapping[str, Any]) -> Rejected | None:
    valid = zone_data.get("valid_vip_networks")
    if not valid or wish.vip.network_id in valid or not wish.vip.address:  # without one it is proposed once more
        return None
    where = f"availability zone {wish.availability_zone}"
    detail = f"Network {wish.vip.network_id} is not one that VIPs may be on in {where}: those are {', '.join(valid)}."
    return invalid(detail, field="vip_network_id")


def _unroutable(wish: LoadBalancer, flavor_data: Mapping[str, Any]) -> Rejected | None:
    if flavor_data.get("front_end") != "L3":
        return None
    detail = (
        f"Network {wish.vip.network_id} has no router that could lead a VIP to an amphora, and the flavor's front_end is"
        " L3: name another network or flavor."
    )
    return invalid(detail, field="vip_network_id")
