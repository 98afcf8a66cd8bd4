"""The rules' defaults against the table of roles, an operator's file, and that every route has its rule."""

from itertools import product
from pathlib import Path

import pytest
import yaml

from actium_api import app
from actium_api.access import needs, rule_policy, rules
from actium_api.access.callers import Identity
from actium_api.access.rule_policy import RulePolicy
from actium_api.access.rules import PREFIX
from actium_shared.errors import SettingsError

OWN, OTHERS = "p1", "p2"

CLASSES = {
    "read": ("loadbalancer:get_one", "listener:get_all", "l7rule:get_one", "listener:get_stats", "flavor:get_all"),
    "read-global": ("loadbalancer:get_all-global", "pool:get_all-global"),
    "write": (
        "loadbalancer:post",
        "member:put",
        "l7policy:delete",
        "healthmonitor:post",
        "loadbalancer:put:vip_sg_ids",
    ),
    "read-quota": ("quota:get_one", "quota:get_defaults"),
    "read-quota-global": ("quota:get_all-global",),
    "write-quota": ("quota:put", "quota:delete"),
    "admin": ("amphora:get_one", "flavor:post", "flavor-profile:get_all", "loadbalancer:put_failover"),
}
ALL = frozenset(CLASSES)
READS = frozenset(("read", "read-quota"))
WRITES = READS | {"write"}
GLOBAL_READS = frozenset(("read", "read-global", "read-quota", "read-quota-global"))
QUOTAS = frozenset(("read-quota", "read-quota-global", "write-quota"))
NONE: frozenset[str] = frozenset()

USUAL = {
    # role: (what it may in its own project, what in others')
    "reader": (READS, NONE),
    "member": (WRITES, NONE),
    "admin": (ALL, ALL),
    "service": (NONE, NONE),
}
LOAD_BALANCER = {
    "load-balancer_observer": (READS, NONE),
    "load-balancer_member": (WRITES, NONE),
    "load-balancer_global_observer": (GLOBAL_READS, GLOBAL_READS),
    "load-balancer_quota_admin": (QUOTAS, QUOTAS),
    "load-balancer_admin": (ALL, ALL),
}


def somebody(*roles: str, project_id: str = OWN, **more: str) -> Identity:
    return Identity(user_id="u1", project_id=project_id, roles=frozenset(roles), more=more)


def allowed(policy: RulePolicy, identity: Identity, project_id: str | None) -> frozenset[str]:
    """Give the classes of which everything is allowed; nothing of the others may be."""
    found = set()
    for name, actions in CLASSES.items():
        answers = {policy.allows(identity, PREFIX + action, project_id) for action in actions}
        assert len(answers) == 1, f"{name}: {answers}"
        found |= {name} if answers == {True} else set()
    return frozenset(found)


@pytest.mark.parametrize("role", USUAL)
def test_what_the_usual_roles_may(role: str) -> None:
    policy = RulePolicy()
    own, others = USUAL[role]
    assert allowed(policy, somebody(role), OWN) == own
    assert allowed(policy, somebody(role), OTHERS) == others


@pytest.mark.parametrize("role", LOAD_BALANCER)
def test_load_balancer_roles_may_nothing_unless_asked_for(role: str) -> None:
    assert allowed(RulePolicy(), somebody(role), OWN) == NONE


@pytest.mark.parametrize("role", [*LOAD_BALANCER, *USUAL])
def test_what_load_balancer_roles_may_where_they_are_let_in(role: str) -> None:
    policy = RulePolicy(load_balancer_roles=True)
    own, others = (LOAD_BALANCER | USUAL)[role]
    assert allowed(policy, somebody(role), OWN) == own
    assert allowed(policy, somebody(role), OTHERS) == others


@pytest.mark.parametrize("role", [*LOAD_BALANCER, "reader", "member", "admin"])
def test_the_sample_for_load_balancer_roles_lets_in_nobody_else(role: str) -> None:
    policy = RulePolicy(yaml.safe_load(rules.sample(load_balancer_roles=True)))
    own, others = (LOAD_BALANCER | {"reader": (NONE, NONE), "member": (NONE, NONE), "admin": (ALL, ALL)})[role]
    assert allowed(policy, somebody(role), OWN) == own
    assert allowed(policy, somebody(role), OTHERS) == others


def test_a_service_may_list_members_and_nothing_else() -> None:
    policy = RulePolicy()
    assert policy.allows(somebody("service"), f"{PREFIX}member:get_all", OTHERS)
    assert not policy.allows(somebody("service"), f"{PREFIX}member:get_one", OTHERS)


def test_without_a_project_only_administrators_may_something() -> None:
    policy = RulePolicy()
    for role, project_id in product(("reader", "member"), (None, "", OWN)):
        assert allowed(policy, somebody(role, project_id=""), project_id) == NONE
    assert allowed(policy, somebody("admin", project_id="", system_scope="all"), OWN) == ALL


def test_an_administrator_of_a_domain_is_none_of_the_site() -> None:
    assert allowed(RulePolicy(), somebody("admin", project_id="", domain_id="d1"), OWN) == NONE


def test_an_unknown_action_is_refused() -> None:
    assert not RulePolicy().allows(somebody("admin"), f"{PREFIX}loadbalancer:fly", OWN)


def test_answers_are_remembered_up_to_a_bound_for_everybody_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_policy, "DECISIONS_KEPT", 50)
    policy = RulePolicy()
    for person, number in product((somebody("admin"), somebody("reader")), range(40)):
        policy.allows(person, f"{PREFIX}loadbalancer:get_one", f"p{number}")
    assert len(policy.decisions) == 50


def test_a_text_that_is_no_projects_id_is_not_remembered() -> None:
    policy = RulePolicy()
    assert policy.allows(somebody("admin"), f"{PREFIX}loadbalancer:get_one", "x" * 8000)
    assert len(policy.decisions) == 0


def test_what_was_answered_to_one_is_no_answer_to_another() -> None:
    policy, action = RulePolicy(), f"{PREFIX}loadbalancer:get_one"
    assert policy.allows(somebody("reader"), action, OWN)
    assert not policy.allows(somebody("reader", project_id="other"), action, OWN)
    assert not policy.allows(somebody("auditor"), action, OWN)


def test_every_route_has_a_rule_and_every_rule_has_a_route() -> None:
    used = {f"{PREFIX}loadbalancer:{method}:vip_sg_ids" for method in ("post", "put")} | {rules.OPERATOR}
    for resource in app.RESOURCES:
        for route in resource.ROUTES:
            for method in route.name.split():
                need = needs.need_of(route.path, method)
                assert need is not needs.UNLISTED, f"{method} {route.path}"
                used.update(need.actions)
    known = {action.name for action in rules.ACTIONS}
    batch = {f"{PREFIX}member:{action}" for action in ("post", "put", "delete")}
    assert used | batch <= known
    assert {action for need in needs.NEEDS.values() for action in need.actions} | used == known


def test_the_sample_changes_nothing() -> None:
    assert yaml.safe_load(rules.sample()) is None
    for action in rules.ACTIONS:
        assert f'#"{action.name}": "{action.check}"' in rules.sample()


def file_with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return path


def test_an_operators_file_overrides_groups_and_actions(tmp_path: Path) -> None:
    text = f'"load-balancer:write": "role:team"\n"{PREFIX}loadbalancer:delete": "!"\n"mine": "role:x"\n'
    policy = RulePolicy.from_file(file_with(tmp_path, text))
    assert policy.allows(somebody("team"), f"{PREFIX}listener:post", OTHERS)
    assert not policy.allows(somebody("member"), f"{PREFIX}listener:post", OWN)
    assert not policy.allows(somebody("admin"), f"{PREFIX}loadbalancer:delete", OWN)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"load-balancer:write": "role:', "policy.yaml"),
        ("- a list", "must be a mapping"),
        (f'"{PREFIX}loadbalancr:get_one": "@"', "there is no rule 'os_load-balancer_api:loadbalancr:get_one'"),
        ('"load-balancer:write": "role:a nor role:b"', "cannot understand the check"),
        ('"load-balancer:write": "http://127.0.0.1/x"', "asks a server"),
        ('"load-balancer:write": 1', "must be texts"),
        ('"load-balancer:write": "rule:nobody_defined_it"', "load-balancer:write"),
        (
            '"load-balancer:read": "rule:load-balancer:write"\n"load-balancer:write": "rule:load-balancer:read"',
            "in a circle",
        ),
    ],
)
def test_a_wrong_file_is_refused_at_start_in_words(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refusal:
        RulePolicy.from_file(file_with(tmp_path, text))
    assert "policy.yaml" in str(refusal.value)


def test_a_missing_file_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        RulePolicy.from_file(tmp_path / "policy.yaml")
