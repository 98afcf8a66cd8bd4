"""What is true of one project, and how events change it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from immutables import Map

from actium_shared.events.project import ProjectEvent, QuotaSet


@dataclass(frozen=True, slots=True)
class ProjectState:
    """`limits` are the project's own, by resource; `has_row` says that it ever had some."""

    limits: Mapping[str, int] = field(default_factory=Map)
    has_row: bool = False


def fold(state: ProjectState, happened: Iterable[ProjectEvent]) -> ProjectState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(_state: ProjectState, event: ProjectEvent) -> ProjectState:
    """Give the state after one event."""
    match event:
        case QuotaSet(limits=limits):
            return ProjectState(limits=Map(limits), has_row=True)
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")
