"""L7 policies as clients send them: what a listener does with requests that match."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from actium_api.faults import Fault
from actium_api.schemas import l7_rule
from actium_api.schemas.fields import (
    Body,
    Create,
    Flag,
    HttpUrl,
    ProjectName,
    Tags,
    Text,
    Uuid,
    Whole,
    changes,
    to_whole,
)
from actium_api.schemas.l7_rule import NestedL7Rule
from actium_api.schemas.pool import NestedPool
from actium_shared.commands.planner import L7PolicyChanges
from actium_shared.ids import L7PolicyId, ListenerId, PoolId
from actium_shared.wishes import L7Policy

Action = Literal["REDIRECT_PREFIX", "REDIRECT_TO_POOL", "REDIRECT_TO_URL", "REJECT"]
LAST = 2_147_483_647
TARGETS: Mapping[str, str] = {
    "REDIRECT_TO_POOL": "redirect_pool_id",
    "REDIRECT_TO_URL": "redirect_url",
    "REDIRECT_PREFIX": "redirect_prefix",
}
PASSED_OVER: Mapping[str, tuple[str, ...]] = {
    "REDIRECT_TO_POOL": ("redirect_url",),
    "REDIRECT_TO_URL": ("redirect_pool_id", "redirect_prefix"),
    "REDIRECT_PREFIX": ("redirect_url",),
    "REJECT": tuple(TARGETS.values()),
}
"""Targets of other actions that may be sent along all the same."""

DEFAULT_CODE = 302

Position = Annotated[Whole, Field(ge=1, le=LAST)]
Code = Annotated[Literal[301, 302, 303, 307, 308], BeforeValidator(to_whole)]


class L7PolicyCreate(Create):
    """What all ways to make a policy have in common."""

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    action: Action
    redirect_url: HttpUrl | None = None
    redirect_prefix: HttpUrl | None = None
    position: Position = LAST
    rules: tuple[NestedL7Rule, ...] = ()
    tags: Tags = ()
    redirect_http_code: Code | None = None

    def wish(self, policy_id: str, *, listener_id: str, pool_id: str | None, position: int) -> L7Policy:
        """Give the policy that is wished for, with the target of its action and no other."""
        goes_to_url = self.action in ("REDIRECT_TO_URL", "REDIRECT_PREFIX")
        code = self.redirect_http_code or (DEFAULT_CODE if goes_to_url else None)
        return L7Policy(
            id=L7PolicyId(policy_id),
            listener_id=ListenerId(listener_id),
            action=self.action,
            position=position,
            name=self.name,
            description=self.description,
            admin_state_up=self.admin_state_up,
            redirect_pool_id=PoolId(pool_id) if pool_id is not None and self.action == "REDIRECT_TO_POOL" else None,
            redirect_url=self.redirect_url if self.action == "REDIRECT_TO_URL" else None,
            redirect_prefix=self.redirect_prefix if self.action == "REDIRECT_PREFIX" else None,
            redirect_http_code=None if self.action == "REDIRECT_TO_POOL" else code,
            tags=self.tags,
        )


class NestedL7Policy(L7PolicyCreate):
    """A policy in a load balancer's create; it names its pool, which has no id yet."""

    redirect_pool: NestedPool | None = None


class L7PolicyPost(L7PolicyCreate):
    """A policy of a listener that exists."""

    redirect_pool_id: Uuid | None = None
    listener_id: Uuid
    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None


class L7PolicyPut(Body):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {
        "name": "",
        "description": "",
        "admin_state_up": False,
        "tags": (),
    }

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    action: Action = "REJECT"
    redirect_pool_id: Uuid | None = None
    redirect_url: HttpUrl | None = None
    redirect_prefix: HttpUrl | None = None
    position: Position | None = None
    tags: Tags = ()
    redirect_http_code: Code | None = None

    def changes(self) -> L7PolicyChanges:
        """Give what shall change: a position of null is as good as not sent, and so are targets of other actions."""
        whole: dict[str, Any] = changes(self, {})
        passed_over = PASSED_OVER[whole["action"]] if "action" in whole else ()
        if self.position is None:
            whole.pop("position", None)
        return L7PolicyChanges(**{name: value for name, value in whole.items() if name not in passed_over})


def check(body: NestedL7Policy | L7PolicyPost) -> None:
    """
    Refuse a policy whose targets do not go with its action, or a wrong rule in it.

    Raises:
        Fault: 400.
    """
    pool = "redirect_pool" if isinstance(body, NestedL7Policy) else "redirect_pool_id"
    sent = {name for name in ("redirect_url", "redirect_prefix") if getattr(body, name) is not None}
    sent |= {"redirect_pool_id"} if getattr(body, pool) is not None else set()
    _check_targets(sent, body.action)
    needed = TARGETS.get(body.action)
    if needed is not None and needed not in sent:
        raise Fault(400, f"{pool if needed == 'redirect_pool_id' else needed} is needed for action {body.action}.")
    for each in body.rules:
        l7_rule.check(each)


def check_change(body: L7PolicyPut) -> None:
    """
    Refuse a change that names nothing, or targets that do not go together; what depends on stored fields is the planner's.

    Raises:
        Fault: 400.
    """
    if not body.model_fields_set:
        raise Fault(400, "l7policy is empty: it must hold at least one field to change.")
    sent = {name for name in TARGETS.values() if getattr(body, name) is not None}
    _check_targets(sent, body.action if "action" in body.model_fields_set else None)


def _check_targets(sent: set[str], action: str | None) -> None:
    kept = sorted(sent - {*PASSED_OVER.get(action or "", ())})
    wanted = TARGETS.get(action or "")
    if len(kept) > 1 or (kept and action is not None and kept != [wanted]):
        raise Fault(400, f"{' and '.join(sorted(sent))} do not go together with action {action or 'of one target'}.")
