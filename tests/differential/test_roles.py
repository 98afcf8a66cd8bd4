"""Who may do what: every rule of upstream's, for every role and project, as here; and which request needs which rule."""

import json
from pathlib import Path
from typing import Any

import pytest

from actium_api import paths
from actium_api.access import needs, rules
from actium_api.access.callers import Identity
from actium_api.access.rule_policy import RulePolicy
from differential import upstream

HERE = Path(__file__).parent
OWN, OTHERS = "own", "others"
PROJECTS = (OWN, OTHERS)
TIMEOUT_S = 120

ROLES: tuple[tuple[str, ...], ...] = (
    (),
    ("reader",),
    ("member",),
    ("reader", "member"),
    ("manager", "member", "reader"),
    ("admin",),
    ("admin", "manager", "member", "reader"),
    ("service",),
    ("load-balancer_observer",),
    ("load-balancer_member",),
    ("load-balancer_global_observer",),
    ("load-balancer_quota_admin",),
    ("load-balancer_admin",),
    ("swiftoperator",),
)
"""As tokens carry them: Keystone adds what a role implies, unless an operator has taken that away."""


Said = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def said() -> Said:
    found: Said = json.loads(upstream.told("roles.py", json.dumps(ROLES), timeout_s=TIMEOUT_S))
    return found


def test_there_are_the_same_rules(said: Said) -> None:
    ours = {action.name for action in rules.ACTIONS} - {rules.OPERATOR, rules.DRIVER}
    assert ours == said.keys()


@pytest.mark.parametrize("roles", ROLES, ids=lambda roles: "+".join(roles) or "no role")
def test_each_role_may_what_it_may_upstream(said: Said, roles: tuple[str, ...]) -> None:
    policy = RulePolicy()
    somebody = Identity(user_id="u", project_id=OWN, roles=frozenset(roles))
    different = [
        (rule, project, theirs)
        for rule, about in said.items()
        for project, theirs in zip(PROJECTS, about["allowed"][ROLES.index(roles)], strict=True)
        if policy.allows(somebody, rule, project) is not theirs
    ]
    assert different == []


def test_each_request_needs_the_rules_that_upstream_documents_for_it(said: Said) -> None:
    for rule, about in said.items():
        for method, path in about["requests"]:
            ours = paths.canonical(path)
            assert ours is not None, path
            need = needs.need_of(ours, method)
            assert need is not needs.UNLISTED or rule.endswith("amphora:get_all"), f"{method} {path}"
            if not rule.endswith(":vip_sg_ids"):  # where these are sent; the route adds it
                assert rule in need.actions, f"{method} {path} needs {rule} upstream, and {need.actions} here"
