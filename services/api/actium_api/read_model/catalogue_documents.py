"""What a reply shows of the catalogue and of quotas. Pure."""

from collections.abc import Mapping

import msgspec

from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile
from actium_shared.quotas import RESOURCES

Document = dict[str, object]

OLD_SPELLINGS: Mapping[str, str] = {"load_balancer": "loadbalancer", "health_monitor": "healthmonitor"}
"""Two resources of quotas are shown in two spellings, and some clients read and write the old ones only."""


def shown(one: Flavor | FlavorProfile | AvailabilityZone | AvailabilityZoneProfile) -> Document:
    """Give what there is to see: all but the id by which a zone's repeated creation is recognised."""
    document: Document = msgspec.structs.asdict(one)
    if isinstance(one, AvailabilityZone):
        del document["id"]
    return document


def quota(project_id: str, limits: Mapping[str, int | None]) -> Document:
    """Give a quota with every limit in all its spellings."""
    every: Document = {resource: limits.get(resource) for resource in RESOURCES}
    old = {old: every[new] for old, new in OLD_SPELLINGS.items()}
    return {"project_id": project_id, "tenant_id": project_id, **every, **old}
