"""Whether growth fits into a quota."""

from collections.abc import Mapping

from actium_planner.deciders.project.holdings import Holdings
from actium_shared.ids import ProjectId
from actium_shared.message import Reason, Rejected
from actium_shared.quotas import UNLIMITED

NAMES: Mapping[str, str] = {
    "loadbalancer": "load balancers",
    "listener": "listeners",
    "pool": "pools",
    "member": "members",
    "healthmonitor": "health monitors",
    "l7policy": "L7 policies",
    "l7rule": "L7 rules",
}


def refusal(project_id: ProjectId, *, limits: Mapping[str, int], used: Holdings, more: Holdings) -> Rejected | None:
    """Give the refusal, or nothing when the project may have `more` besides what it uses; who shrinks is never refused."""
    for resource, added in more.items():
        limit = limits[resource]
        if added > 0 and limit != UNLIMITED and used.get(resource, 0) + added > limit:
            detail = (
                f"Quota has been met for {NAMES[resource]}: project {project_id} may have {limit}, "
                f"has {used.get(resource, 0)}, and this would add {added}."
            )
            return Rejected(reason=Reason.QUOTA, detail=detail, field=resource)
    return None
