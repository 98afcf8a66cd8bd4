"""Is a wish about a project's quota allowed, and what happens then."""

from collections.abc import Sequence

from actium_planner.deciders.project.state import ProjectState
from actium_planner.validation.refusals import invalid, missing
from actium_shared.commands import planner as commands
from actium_shared.events.project import ProjectEvent, QuotaSet
from actium_shared.message import Rejected
from actium_shared.quotas import MOST, RESOURCES, UNLIMITED


def decide(command: commands.ProjectCommand, state: ProjectState) -> Sequence[ProjectEvent] | Rejected:
    """Give what happens to the project, or why nothing may."""
    match command:
        case commands.SetQuota():
            return _set(command, state)
        case commands.ResetQuota():
            return _reset(command, state)
        case _:
            raise AssertionError(f"{command.TYPE} is not known here")


def _set(command: commands.SetQuota, state: ProjectState) -> Sequence[ProjectEvent] | Rejected:
    for resource, limit in command.limits.items():
        if resource not in RESOURCES:
            return invalid(f"{resource} has no quota; these have: {', '.join(RESOURCES)}.", field=resource)
        if limit is not None and not UNLIMITED <= limit <= MOST:
            bounds = f"between {UNLIMITED} (no limit) and {MOST}"
            return invalid(f"The quota of {resource} must be {bounds}, and is {limit}.", field=resource)
    merged = {**state.limits, **command.limits}
    limits = {resource: limit for resource in RESOURCES if (limit := merged.get(resource)) is not None}
    if state.has_row and limits == dict(state.limits):
        return []
    return [QuotaSet(project_id=command.project_id, limits=limits)]


def _reset(command: commands.ResetQuota, state: ProjectState) -> Sequence[ProjectEvent] | Rejected:
    if not state.has_row:
        return missing("Quota", command.project_id)
    return [QuotaSet(project_id=command.project_id, limits={})] if state.limits else []
