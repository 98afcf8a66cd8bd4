"""How large a pool shall be and what its spares boot from: what the catalogue and the site say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actium_planner.deciders.catalogue import CatalogueState
from actium_planner.validation import provider_data
from actium_shared.ids import SparesId, derived_id
from actium_shared.message import Rejected
from actium_shared.provider_options import is_ours

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """`size` spares, and everything that they boot from."""

    size: int
    image_tag: str
    flavor_id: str | None = None
    flavor: Data = field(default_factory=dict)
    availability_zone: str | None = None
    availability_zone_data: Data = field(default_factory=dict)


def pool_id(flavor_id: str | None, zone: str | None) -> SparesId:
    """Give the pool for load balancers with this flavor in this zone."""
    return SparesId(derived_id("spares", flavor_id or "", zone or ""))


def sizing(flavor_id: str | None, zone: str | None, catalogue: CatalogueState, *, size: int, image_tag: str) -> Sizing:
    """
    Give what a pool shall be; `size` is the site's for load balancers without a flavor, `image_tag` where a flavor says none.

    A flavor or zone that is not on offer any more needs no spares; one that is disabled still has load balancers.
    """
    flavor, zone_data = _flavor(flavor_id, catalogue), _zone(zone, catalogue)
    offered = flavor is not None and zone_data is not None
    data = flavor or {}
    wanted = size if flavor_id is None else int(data.get("spare_pool_size", 0))
    return Sizing(
        size=wanted if offered else 0,
        image_tag=str(data.get("amp_image_tag", image_tag)),
        flavor_id=flavor_id,
        flavor=data,
        availability_zone=zone,
        availability_zone_data=zone_data or {},
    )


def _flavor(flavor_id: str | None, catalogue: CatalogueState) -> Data | None:
    if flavor_id is None:
        return {}
    flavor = catalogue.flavors.get(flavor_id)
    profile = catalogue.flavor_profiles.get(flavor.flavor_profile_id) if flavor else None
    if profile is None or not is_ours(profile.provider_name):
        return None
    return _or_none(provider_data.of_flavor(profile.provider_name, profile.flavor_data))


def _zone(name: str | None, catalogue: CatalogueState) -> Data | None:
    if name is None:
        return {}
    zone = catalogue.zones.get(name)
    profile = catalogue.zone_profiles.get(zone.availability_zone_profile_id) if zone else None
    if profile is None or not is_ours(profile.provider_name):
        return None
    return _or_none(provider_data.of_zone(profile.provider_name, profile.availability_zone_data))


def _or_none(data: Data | Rejected) -> Data | None:
    return None if isinstance(data, Rejected) else data
