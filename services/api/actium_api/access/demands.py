"""
The one place where what a request needs is demanded.

`routes.base.route` calls `enter` before an endpoint and `assure` behind it; reads of rows there call `authorise` with the
row's project. So an endpoint speaks of access itself only where the project comes from the body. What nobody has
authorised cannot be asked of another service, nor answered.
"""

import sqlalchemy as sa
from starlette.requests import Request

from actium_api.access.callers import caller
from actium_api.access.needs import By, Need
from actium_api.access.policy import Policy
from actium_api.faults import Fault
from actium_shared.errors import PermanentError


def enter(request: Request, need: Need) -> None:
    """
    Begin a request: refuse it at once where that can be said by now.

    Raises:
        Fault: 403.
    """
    request.scope["actium.need"] = need
    if need.by is By.ANYONE:
        request.scope["actium.authorised"] = True
    elif need.by is By.SITE:
        authorise(request, caller(request).project_id)
    elif need.by is By.PATH:
        authorise(request, str(request.path_params["project_id"]))


def authorise(request: Request, project_id: str | None, *more: str) -> None:
    """
    Demand that the caller may do what he asks for, to something of this project; `more` are actions beyond the route's.

    Raises:
        Fault: 403.
    """
    need: Need = request.scope["actium.need"]
    actions = need.actions if need.of_request is None else need.of_request(request)
    for action in (*actions, *more):
        if not may(request, action, project_id):
            raise forbidden(action)
    request.scope["actium.authorised"] = True


def owner_of_new(request: Request, given: str | None, *more: str) -> str:
    """
    Give the project of what is to be made: the one that is given, or the caller's; authorised.

    Raises:
        Fault: it is not the caller's (403), or there is none (400).
    """
    project_id = given or caller(request).project_id
    authorise(request, project_id or None, *more)
    if not project_id:
        raise Fault(400, "project_id must be given: your token is for no project.")
    return project_id


def may(request: Request, action: str, project_id: str | None) -> bool:
    """Say whether the caller may."""
    policy: Policy = request.app.state.policy
    return policy.allows(caller(request).identity, action, project_id)


def listed_project(request: Request, asked: object) -> str | None:
    """
    Give the one project whose things a list shows, None for all; `asked` is the one that the caller names.

    Raises:
        Fault: 403.
    """
    need: Need = request.scope["actium.need"]
    project_id = None if asked is None else str(asked)
    if need.by is not By.LIST:
        return project_id
    own, everybodys = need.actions
    if not may(request, everybodys, None):
        project_id = project_id or caller(request).project_id
        if not project_id or not may(request, own, project_id):
            raise forbidden(own)
    request.scope["actium.authorised"] = True
    return project_id


def has_owner(table: sa.Table) -> bool:
    """Say whether the rows belong to projects."""
    return "project_id" in table.c


def assure(request: Request) -> None:
    """
    Stop what nobody has authorised: a mistake of ours, and not to be answered.

    Raises:
        PermanentError: there was no decision.
    """
    if not request.scope.get("actium.authorised"):
        raise PermanentError(f"{request.method} {request.scope['path']}: nothing was asked of the policy")


def forbidden(action: str) -> Fault:
    return Fault(403, f"Policy does not allow this request to be performed: {action}.")
