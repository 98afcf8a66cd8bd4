"""
What happens to a pool of spares: amphorae that run, carry nothing and wait to take a place. Written by the planner.

There is a pool for each flavor and availability zone that asks for one; it alone hands its spares out. Field names are
the storage format.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, PortId, SparesId
from actium_shared.message import Event


class SparesEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""

    spares_id: SparesId


class SparesSized(SparesEvent, frozen=True, kw_only=True):
    """So many spares shall wait here, and this is what they boot from; 0 ends the pool."""

    TYPE: ClassVar[str] = "spares.sized"

    size: int
    image_tag: str
    flavor_id: str | None = None
    flavor: Mapping[str, str | int | bool] = {}
    availability_zone: str | None = None
    availability_zone_data: Mapping[str, str | int | bool | tuple[str, ...]] = {}


class SpareAppointed(SparesEvent, frozen=True, kw_only=True):
    """A new amphora shall wait here; one that has not booted by `deadline_at` is dismissed."""

    TYPE: ClassVar[str] = "spares.spare-appointed"

    amphora_id: AmphoraId
    management_port_id: PortId
    deadline_at: datetime
    avoid_hosts: tuple[str, ...] = ()


class SpareReady(SparesEvent, frozen=True, kw_only=True):
    """It booted, and can be handed out."""

    TYPE: ClassVar[str] = "spares.spare-ready"

    amphora_id: AmphoraId
    host: str


class SpareHandedOut(SparesEvent, frozen=True, kw_only=True):
    """It belongs to an appliance now, in answer to its search of this number."""

    TYPE: ClassVar[str] = "spares.spare-handed-out"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    search: int
    host: str
    management_port_id: PortId
    image_tag: str = ""


class HandedOutSpareLost(SparesEvent, frozen=True, kw_only=True):
    """News of one that belongs to an appliance, which still came to its pool: it does not serve."""

    TYPE: ClassVar[str] = "spares.handed-out-spare-lost"

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    reason: str


class SpareDenied(SparesEvent, frozen=True, kw_only=True):
    """None is there for an appliance's search of this number: it has to boot one itself."""

    TYPE: ClassVar[str] = "spares.spare-denied"

    appliance_id: ApplianceId
    search: int
    reason: str


class SpareDismissed(SparesEvent, frozen=True, kw_only=True):
    """It shall go: it did not come, was lost, is one too many, or is out of date."""

    TYPE: ClassVar[str] = "spares.spare-dismissed"

    amphora_id: AmphoraId
    reason: str


class SpareShutDown(SparesEvent, frozen=True, kw_only=True):
    """The machine of a dismissed spare exists no more; its port still does."""

    TYPE: ClassVar[str] = "spares.spare-shut-down"

    amphora_id: AmphoraId


class SpareCleared(SparesEvent, frozen=True, kw_only=True):
    """Nothing of a dismissed spare exists any more."""

    TYPE: ClassVar[str] = "spares.spare-cleared"

    amphora_id: AmphoraId


class SparesFailed(SparesEvent, frozen=True, kw_only=True):
    """No spare can be had for now; tried again at `retry_at`."""

    TYPE: ClassVar[str] = "spares.failed"

    reason: str
    retry_at: datetime


EVENTS = (
    SparesSized,
    SpareAppointed,
    SpareReady,
    SpareHandedOut,
    HandedOutSpareLost,
    SpareDenied,
    SpareDismissed,
    SpareShutDown,
    SpareCleared,
    SparesFailed,
)
