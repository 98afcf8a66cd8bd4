"""L7 policies and rules: actions and what they imply, positions, rules."""

from typing import Any

import pytest

import builders as a
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.ids import L7PolicyId, L7RuleId, ListenerId, PoolId
from actium_shared.message import Reason
from actium_shared.wishes import L7Policy
from unit.planner.lives import after, grown, happens, types, why

URL = "https://there.example/"
FIRST, SECOND, THIRD = (L7PolicyId(a.an_id(name)) for name in ("first", "second", "third"))
STATE = after(a.create_listener(), a.create_pool())
THREE = grown(STATE, *(a.create_l7_policy(id=policy_id) for policy_id in (FIRST, SECOND, THIRD)))


def update(policy_id: L7PolicyId = a.POLICY, **changes: Any) -> commands.UpdateL7Policy:
    return commands.UpdateL7Policy(
        load_balancer_id=a.LB, l7_policy_id=policy_id, changes=commands.L7PolicyChanges(**changes)
    )


def delete(policy_id: L7PolicyId = a.POLICY) -> commands.DeleteL7Policy:
    return commands.DeleteL7Policy(load_balancer_id=a.LB, l7_policy_id=policy_id)


def created(**fields: Any) -> L7Policy:
    (happened,) = happens(a.create_l7_policy(**fields), STATE)
    assert isinstance(happened, events.L7PolicyCreated)
    return happened.l7_policy


def updated(before: dict[str, Any], **changes: Any) -> L7Policy:
    (happened,) = happens(update(**changes), grown(STATE, a.create_l7_policy(**before)))
    assert isinstance(happened, events.L7PolicyUpdated)
    return happened.l7_policy


def aim(policy: L7Policy) -> tuple[Any, ...]:
    """Give action and targets: pool, URL, prefix, code."""
    return (
        policy.action,
        policy.redirect_pool_id,
        policy.redirect_url,
        policy.redirect_prefix,
        policy.redirect_http_code,
    )


TO_POOL = {"action": "REDIRECT_TO_POOL", "redirect_pool_id": a.POOL}
TO_URL = {"action": "REDIRECT_TO_URL", "redirect_url": URL}
TO_PREFIX = {"action": "REDIRECT_PREFIX", "redirect_prefix": URL}
REJECT = {"action": "REJECT"}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (REJECT, ("REJECT", None, None, None, None)),
        (REJECT | {"redirect_http_code": 301, "redirect_url": URL}, ("REJECT", None, None, None, 301)),
        (TO_POOL, ("REDIRECT_TO_POOL", a.POOL, None, None, None)),
        (TO_POOL | {"redirect_http_code": 301, "redirect_url": URL}, ("REDIRECT_TO_POOL", a.POOL, None, None, None)),
        (TO_URL, ("REDIRECT_TO_URL", None, URL, None, 302)),
        (TO_URL | {"redirect_http_code": 307, "redirect_pool_id": a.POOL}, ("REDIRECT_TO_URL", None, URL, None, 307)),
        (TO_PREFIX, ("REDIRECT_PREFIX", None, None, URL, 302)),
    ],
)
def test_a_new_policy_has_its_actions_target_alone(fields: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    assert aim(created(**fields)) == wanted


@pytest.mark.parametrize(
    ("before", "changes", "wanted"),
    [
        (REJECT, {"redirect_pool_id": a.POOL}, ("REDIRECT_TO_POOL", a.POOL, None, None, None)),
        (TO_POOL, {"redirect_url": URL}, ("REDIRECT_TO_URL", None, URL, None, 302)),
        (TO_URL, {"redirect_prefix": URL}, ("REDIRECT_PREFIX", None, None, URL, 302)),
        (
            TO_URL | {"redirect_http_code": 308},
            {"redirect_pool_id": a.POOL},
            ("REDIRECT_TO_POOL", a.POOL, None, None, None),
        ),
        (TO_URL, {"action": "REJECT"}, ("REJECT", None, None, None, None)),
        (TO_URL, {"redirect_http_code": 303}, ("REDIRECT_TO_URL", None, URL, None, 303)),
        (
            REJECT,
            {"action": "REDIRECT_TO_POOL", "redirect_pool_id": a.POOL, "redirect_url": URL},
            ("REDIRECT_TO_POOL", a.POOL, None, None, None),
        ),
        (
            TO_POOL,
            {"action": "REDIRECT_TO_URL", "redirect_pool_id": a.POOL, "redirect_url": URL, "redirect_prefix": URL},
            ("REDIRECT_TO_URL", None, URL, None, 302),
        ),
    ],
)
def test_an_update_implies_its_action_and_clears_the_other_targets(
    before: dict[str, Any], changes: dict[str, Any], wanted: tuple[Any, ...]
) -> None:
    assert aim(updated(before, **changes)) == wanted


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"redirect_pool_id": a.POOL, "redirect_url": URL}, "redirect_url"),
        ({"redirect_pool_id": a.POOL, "redirect_prefix": URL}, "redirect_prefix"),
        ({"redirect_prefix": URL, "redirect_url": URL}, "redirect_url"),
        ({"action": "REDIRECT_PREFIX", "redirect_prefix": URL, "redirect_pool_id": a.POOL}, "redirect_prefix"),
        ({"action": "REDIRECT_TO_URL"}, "redirect_url"),
        ({"action": "DANCE"}, "action"),
        ({"redirect_url": "ftp://there.example"}, "redirect_url"),
        ({"redirect_url": "http://there.example/\nbind *:1"}, "redirect_url"),
        ({"redirect_prefix": "/only/a/path"}, "redirect_prefix"),
        ({"redirect_url": URL, "redirect_http_code": 200}, "redirect_http_code"),
        ({"position": 0}, "position"),
    ],
)
def test_an_update_that_cannot_be_is_refused_by_the_fields_name(changes: dict[str, Any], field: str) -> None:
    assert why(update(**changes), grown(STATE, a.create_l7_policy())) == (Reason.INVALID, field)


def test_a_target_cannot_be_taken_from_its_action() -> None:
    state = grown(STATE, a.create_l7_policy(**TO_URL))
    assert why(update(redirect_url=None), state) == (Reason.INVALID, "redirect_url")


@pytest.mark.parametrize("protocol", ["HTTPS", "TCP", "UDP"])
def test_only_listeners_that_read_requests_have_policies(protocol: str) -> None:
    state = after(a.create_listener(protocol=protocol))
    assert why(a.create_l7_policy(), state) == (Reason.UNSUPPORTED, "listener_id")


def test_a_prometheus_listener_cannot_have_policies() -> None:
    state = after(a.create_listener(protocol="PROMETHEUS"))
    assert why(a.create_l7_policy(), state) == (Reason.INVALID, "listener_id")


def test_what_a_policy_names_exists_and_fits() -> None:
    state = after(a.create_listener(), a.create_pool(protocol="TCP"))
    unknown = a.create_l7_policy(action="REDIRECT_TO_POOL", redirect_pool_id=PoolId("x"))
    assert why(unknown, state)[0] is Reason.NOT_FOUND
    assert why(a.create_l7_policy(**TO_POOL), state) == (Reason.INVALID, "redirect_pool_id")
    assert why(a.create_l7_policy(listener_id=ListenerId("x")), state)[0] is Reason.NOT_FOUND
    assert why(update(name="x"), state)[0] is Reason.NOT_FOUND
    assert why(delete(), state)[0] is Reason.NOT_FOUND


def test_the_same_create_again_changes_nothing() -> None:
    assert happens(a.create_l7_policy(), grown(STATE, a.create_l7_policy())) == []


# -- positions


def order(state: Any) -> list[tuple[L7PolicyId, int]]:
    return [(each.policy.id, each.policy.position) for each in state.wish().l7_policies]


def test_policies_are_appended_without_moving_anybody() -> None:
    (happened,) = happens(a.create_l7_policy(), THREE)
    assert isinstance(happened, events.L7PolicyCreated)
    assert happened.l7_policy.position == 4


def test_a_policy_that_is_put_between_moves_those_behind_it() -> None:
    made, ordered = happens(a.create_l7_policy(position=2), THREE)
    assert isinstance(made, events.L7PolicyCreated)
    assert made.l7_policy.position == 2
    assert isinstance(ordered, events.L7PoliciesOrdered)
    assert ordered.l7_policy_ids == (FIRST, a.POLICY, SECOND, THIRD)
    grown_state = grown(THREE, a.create_l7_policy(position=2))
    assert order(grown_state) == [(FIRST, 1), (a.POLICY, 2), (SECOND, 3), (THIRD, 4)]


@pytest.mark.parametrize(
    ("position", "wanted"), [(1, [THIRD, FIRST, SECOND]), (2, [FIRST, THIRD, SECOND]), (99, [FIRST, SECOND, THIRD])]
)
def test_a_policy_can_be_moved(position: int, wanted: list[L7PolicyId]) -> None:
    moved = grown(THREE, update(THIRD, position=position))
    assert order(moved) == [(policy_id, place) for place, policy_id in enumerate(wanted, start=1)]


def test_a_move_to_where_it_is_changes_nothing() -> None:
    assert happens(update(THIRD, position=99), THREE) == []


def test_a_policy_that_was_moved_by_others_keeps_its_place_when_it_is_changed() -> None:
    state = grown(THREE, a.create_l7_policy(position=1))
    (happened,) = happens(update(THIRD, admin_state_up=False), state)
    assert isinstance(happened, events.L7PolicyUpdated)
    assert happened.l7_policy.position == 4


def test_a_removed_policy_leaves_no_gap() -> None:
    removed, ordered = happens(delete(FIRST), THREE)
    assert removed == events.L7PolicyRemoved(
        load_balancer_id=a.LB, generation=THREE.generation + 1, listener_id=a.LISTENER, l7_policy_id=FIRST
    )
    assert isinstance(ordered, events.L7PoliciesOrdered)
    assert ordered.l7_policy_ids == (SECOND, THIRD)
    assert types(delete(THIRD), THREE) == ["l7policy.removed"]


# -- rules

WITH_POLICY = grown(STATE, a.create_l7_policy())


def update_rule(**changes: Any) -> commands.UpdateL7Rule:
    return commands.UpdateL7Rule(
        load_balancer_id=a.LB, l7_policy_id=a.POLICY, l7_rule_id=a.RULE, changes=commands.L7RuleChanges(**changes)
    )


def delete_rule(policy_id: L7PolicyId = a.POLICY) -> commands.DeleteL7Rule:
    return commands.DeleteL7Rule(load_balancer_id=a.LB, l7_policy_id=policy_id, l7_rule_id=a.RULE)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": "HOST_NAME", "compare_type": "REGEX", "value": r".*\.example"},
        {"type": "FILE_TYPE", "compare_type": "EQUAL_TO", "value": "png"},
        {"type": "HEADER", "key": "X-A", "compare_type": "CONTAINS", "value": "a"},
        {"type": "COOKIE", "key": "a", "compare_type": "ENDS_WITH", "value": "a"},
        {"type": "SSL_CONN_HAS_CERT", "compare_type": "EQUAL_TO", "value": "True"},
        {"type": "SSL_VERIFY_RESULT", "compare_type": "EQUAL_TO", "value": "0"},
        {"type": "SSL_DN_FIELD", "key": "CN", "compare_type": "STARTS_WITH", "value": "a b"},
        {"key": "not looked at"},
    ],
)
def test_every_kind_of_rule_is_created(fields: dict[str, Any]) -> None:
    (happened,) = happens(a.create_l7_rule(**fields), WITH_POLICY)
    assert isinstance(happened, events.L7RuleCreated)
    assert happened.l7_rule == a.l7_rule(**fields)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": "WEATHER"}, "type"),
        ({"type": "FILE_TYPE"}, "compare_type"),
        ({"type": "SSL_CONN_HAS_CERT", "compare_type": "CONTAINS", "value": "true"}, "compare_type"),
        ({"type": "HEADER"}, "key"),
        ({"type": "COOKIE", "key": "a;b"}, "key"),
        ({"type": "SSL_DN_FIELD", "key": "1N"}, "key"),
        ({"type": "SSL_CONN_HAS_CERT", "compare_type": "EQUAL_TO", "value": "true", "key": "k"}, "key"),
        ({"type": "SSL_CONN_HAS_CERT", "compare_type": "EQUAL_TO", "value": "false"}, "value"),
        ({"type": "SSL_VERIFY_RESULT", "compare_type": "EQUAL_TO", "value": "-1"}, "value"),
        ({"compare_type": "REGEX", "value": "(open"}, "value"),
        ({"value": "/a\r\nX"}, "value"),
        ({"value": ""}, "value"),
        ({"value": "a" * 256}, "value"),
    ],
)
def test_a_rule_that_nothing_could_match_is_refused(fields: dict[str, Any], field: str) -> None:
    assert why(a.create_l7_rule(**fields), WITH_POLICY) == (Reason.INVALID, field)


def test_an_update_is_judged_together_with_what_stays() -> None:
    state = grown(WITH_POLICY, a.create_l7_rule(compare_type="CONTAINS", value="(open"))
    assert why(update_rule(compare_type="REGEX"), state) == (Reason.INVALID, "value")
    assert why(update_rule(type="HEADER"), state) == (Reason.INVALID, "key")
    assert types(update_rule(type="HEADER", key="X-A"), state) == ["l7rule.updated"]


def test_a_key_that_is_not_looked_at_is_forgotten_with_an_update() -> None:
    state = grown(WITH_POLICY, a.create_l7_rule(type="HEADER", key="X-A"))
    (happened,) = happens(update_rule(type="PATH"), state)
    assert isinstance(happened, events.L7RuleUpdated)
    assert happened.l7_rule.key is None


def test_a_policy_has_fifty_rules_at_most() -> None:
    rules = [a.create_l7_rule(id=L7RuleId(a.an_id(f"rule-{number}"))) for number in range(50)]
    full = grown(WITH_POLICY, *rules)
    assert why(a.create_l7_rule(), full)[0] is Reason.CONFLICT
    assert happens(rules[0], full) == []


def test_a_rule_is_found_in_its_own_policy_alone() -> None:
    state = grown(WITH_POLICY, a.create_l7_rule(), a.create_l7_policy(id=SECOND))
    assert why(delete_rule(SECOND), state)[0] is Reason.NOT_FOUND
    assert types(delete_rule(), state) == ["l7rule.removed"]
    assert why(update_rule(value="/b"), WITH_POLICY)[0] is Reason.NOT_FOUND
    assert why(a.create_l7_rule(l7_policy_id=L7PolicyId("x")), state)[0] is Reason.NOT_FOUND
