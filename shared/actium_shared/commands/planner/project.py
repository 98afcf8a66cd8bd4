"""What operators ask of the planner about projects: how much each may have."""

from collections.abc import Mapping
from typing import ClassVar

from actium_shared.ids import ProjectId
from actium_shared.message import Command


class ProjectCommand(Command, frozen=True, kw_only=True):
    """Base of this module's commands."""

    SERVICE: ClassVar[str] = "planner"
    TARGET: ClassVar[str] = "project_id"

    project_id: ProjectId


class SetQuota(ProjectCommand, frozen=True, kw_only=True):
    """Limits by resource, only those that change: -1 is no limit, None the site's default again."""

    TYPE: ClassVar[str] = "project.set-quota"

    limits: Mapping[str, int | None]


class ResetQuota(ProjectCommand, frozen=True, kw_only=True):
    """Every limit is the site's default again. Refused where the project never had limits of its own."""

    TYPE: ClassVar[str] = "project.reset-quota"


COMMANDS = (SetQuota, ResetQuota)
