"""What happens to a project: how much it may have. Written by the planner. Field names are the storage format."""

from collections.abc import Mapping
from typing import ClassVar

from actium_shared.ids import ProjectId
from actium_shared.message import Event


class ProjectEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""

    project_id: ProjectId


class QuotaSet(ProjectEvent, frozen=True, kw_only=True):
    """
    All limits of the project, by resource: loadbalancer, listener, pool, member, healthmonitor, l7policy, l7rule.

    -1 is no limit; one that is not named is the site's default.
    """

    TYPE: ClassVar[str] = "project.quota-set"

    limits: Mapping[str, int]


EVENTS = (QuotaSet,)
