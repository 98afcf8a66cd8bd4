"""What is true of one pool of spares, and how events change it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import Enum

import msgspec
from immutables import Map
from msgspec.structs import replace

from actium_shared.events import spares as events
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import AmphoraId, ApplianceId, PortId, SparesId

HANDED_OUT_MOST = 100
"""Until an appliance's own log knows of its new amphora only moments pass."""


class Stage(Enum):
    """How far a spare has come; it only moves on, and leaves when it is handed out or cleared away."""

    APPOINTED = 1
    READY = 2
    DISMISSED = 3
    SHUT_DOWN = 4


class SpareState(msgspec.Struct, frozen=True, kw_only=True):
    """One spare. `avoid_hosts` are those it had better not come to; `host` is where it did."""

    id: AmphoraId
    management_port_id: PortId
    deadline_at: datetime
    avoid_hosts: tuple[str, ...] = ()
    image_tag: str = ""
    stage: Stage = Stage.APPOINTED
    host: str = ""


class SparesState(msgspec.Struct, frozen=True, kw_only=True):
    """One pool. `failures` counts tries that failed since a spare was last ready; none is made before `retry_at`."""

    id: SparesId | None = None
    size: int = 0
    image_tag: str = ""
    flavor_id: str | None = None
    flavor: Mapping[str, str | int | bool] = msgspec.field(default_factory=dict)
    availability_zone: str | None = None
    availability_zone_data: Mapping[str, str | int | bool | tuple[str, ...]] = msgspec.field(default_factory=dict)
    spares: Map[AmphoraId, SpareState] = msgspec.field(default_factory=Map)
    appointed: int = 0
    failures: int = 0
    retry_at: datetime | None = None
    handed_out: tuple[tuple[AmphoraId, ApplianceId], ...] = ()
    """The newest of those that are others' now: news of them may be on its way to here."""

    def ordered(self, *stages: Stage) -> list[SpareState]:
        """Give all spares of these stages in an order that is the same everywhere: maps are iterated by hash."""
        return sorted((spare for spare in self.spares.values() if spare.stage in stages), key=lambda spare: spare.id)

    def waiting(self) -> list[SpareState]:
        """Give those that are there, or are to come."""
        return self.ordered(Stage.APPOINTED, Stage.READY)

    def uncleared(self) -> list[SpareState]:
        """Give those that shall go and still hold something."""
        return self.ordered(Stage.DISMISSED, Stage.SHUT_DOWN)

    def ready(self, avoid_hosts: Collection[str] = (), image_tag: str = "") -> AmphoraId | None:
        """Give the spare to hand out next that is not on one of these hosts, and runs the image: one of where most are."""
        here = self.ordered(Stage.READY)
        crowd = Counter(spare.host for spare in here)
        fit = [spare for spare in here if image_tag in ("", spare.image_tag)]
        allowed = [spare for spare in fit if spare.host not in avoid_hosts]
        return min(allowed, key=lambda spare: (-crowd[spare.host], spare.id)).id if allowed else None


def fold(state: SparesState, happened: Iterable[SparesEvent]) -> SparesState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(state: SparesState, event: SparesEvent) -> SparesState:
    """Give the state after one event."""
    match event:
        case events.SparesSized():
            return _sized(state, event)
        case events.SpareAppointed(amphora_id=amphora_id):
            spare = SpareState(
                id=amphora_id,
                management_port_id=event.management_port_id,
                deadline_at=event.deadline_at,
                avoid_hosts=event.avoid_hosts,
                image_tag=state.image_tag,
            )
            grown = state.spares.set(amphora_id, spare)
            return replace(state, spares=grown, appointed=state.appointed + 1, retry_at=None)
        case events.SpareReady(amphora_id=amphora_id, host=host):
            ready = replace(state.spares[amphora_id], stage=Stage.READY, host=host)
            return replace(state, spares=state.spares.set(amphora_id, ready), failures=0, retry_at=None)
        case events.SpareDismissed(amphora_id=amphora_id):
            return _at(state, amphora_id, Stage.DISMISSED)
        case events.SpareShutDown(amphora_id=amphora_id):
            return _at(state, amphora_id, Stage.SHUT_DOWN)
        case events.SpareHandedOut(amphora_id=amphora_id, appliance_id=appliance_id):
            newest = (*state.handed_out, (amphora_id, appliance_id))[-HANDED_OUT_MOST:]
            return replace(state, spares=state.spares.delete(amphora_id), handed_out=newest)
        case events.SpareCleared(amphora_id=amphora_id):
            return replace(state, spares=state.spares.delete(amphora_id))
        case events.SpareDenied() | events.HandedOutSpareLost():
            return state
        case events.SparesFailed(retry_at=retry_at):
            return replace(state, failures=state.failures + 1, retry_at=retry_at)
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")


def _sized(state: SparesState, event: events.SparesSized) -> SparesState:
    return replace(
        state,
        id=event.spares_id,
        size=event.size,
        image_tag=event.image_tag,
        flavor_id=event.flavor_id,
        flavor=event.flavor,
        availability_zone=event.availability_zone,
        availability_zone_data=event.availability_zone_data,
    )


def _at(state: SparesState, amphora_id: AmphoraId, stage: Stage) -> SparesState:
    return replace(state, spares=state.spares.set(amphora_id, replace(state.spares[amphora_id], stage=stage)))
