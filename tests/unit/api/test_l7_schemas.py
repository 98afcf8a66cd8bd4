"""L7 policies and rules as bodies: which targets go with which action, and which key, comparison and value with which type."""

from typing import Any

import pytest

from actium_api.schemas import l7_policy, l7_rule, load_balancer
from actium_api.schemas.fields import parse
from actium_api.schemas.l7_policy import L7PolicyPost, L7PolicyPut
from actium_api.schemas.l7_rule import L7RulePost, L7RulePut
from actium_api.schemas.load_balancer import LoadBalancerPost
from actium_shared.commands.planner import L7PolicyChanges, L7RuleChanges
from actium_shared.ids import PoolId
from builders import LISTENER, POOL, PUBLIC
from unit.api.bodies import SETTINGS, CountingIds, refused

URL = "https://new.example:8443/a?b=c"


def a_policy(**fields: Any) -> L7PolicyPost:
    made = parse(L7PolicyPost, "l7policy", {"listener_id": LISTENER, "action": "REJECT"} | fields)
    l7_policy.check(made)
    return made


def wish(**fields: Any) -> Any:
    sent = a_policy(**fields)
    return sent.wish("p", listener_id=LISTENER, pool_id=sent.redirect_pool_id, position=sent.position)


def a_change(**fields: Any) -> L7PolicyChanges:
    sent = parse(L7PolicyPut, "l7policy", fields)
    l7_policy.check_change(sent)
    return sent.changes()


def a_rule(**fields: Any) -> L7RulePost:
    made = parse(L7RulePost, "rule", {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"} | fields)
    l7_rule.check(made)
    return made


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"action": "REDIRECT_TO_POOL"}, "redirect_pool_id"),
        ({"action": "REDIRECT_TO_URL"}, "redirect_url"),
        ({"action": "REDIRECT_PREFIX", "redirect_url": URL}, "redirect_prefix"),
        ({"action": "REDIRECT_TO_POOL", "redirect_pool_id": POOL, "redirect_prefix": URL}, "redirect_prefix"),
        ({"action": "REDIRECT_PREFIX", "redirect_pool_id": POOL, "redirect_prefix": URL}, "redirect_pool_id"),
        ({"action": "FORWARD"}, "action"),
        ({"position": 0}, "position"),
        ({"position": 2**31}, "position"),
        ({"redirect_http_code": 304}, "redirect_http_code"),
        ({"redirect_pool": {"name": "p"}}, "redirect_pool"),
    ],
)
def test_a_policy_whose_fields_do_not_go_together_is_refused_by_name(fields: dict[str, Any], word: str) -> None:
    with refused(400, word):
        a_policy(**fields)


@pytest.mark.parametrize(
    "url", ["ftp://a/", "/a", "http://", "https:///x", "http://a b/", 'http://a/"', "http://a/\r\nx", "http://a:99999/"]
)
def test_a_url_that_no_client_could_follow_is_refused(url: str) -> None:
    with refused(400, "redirect_url"):
        a_policy(action="REDIRECT_TO_URL", redirect_url=url)


def test_a_policy_keeps_the_target_of_its_action_and_no_other() -> None:
    to_url = wish(action="REDIRECT_TO_URL", redirect_url=URL, redirect_pool_id=POOL)
    assert (to_url.redirect_url, to_url.redirect_pool_id, to_url.redirect_http_code) == (URL, None, 302)
    to_pool = wish(action="REDIRECT_TO_POOL", redirect_pool_id=POOL, redirect_http_code=301)
    assert (to_pool.redirect_pool_id, to_pool.redirect_http_code) == (POOL, None)
    prefix = wish(action="REDIRECT_PREFIX", redirect_prefix=URL, redirect_http_code="308")
    assert (prefix.redirect_prefix, prefix.redirect_http_code) == (URL, 308)
    assert wish(redirect_http_code=301).redirect_http_code == 301
    assert wish(position=None).position == 2_147_483_647


def test_a_change_names_something_and_one_target() -> None:
    with refused(400, "empty"):
        a_change()
    with refused(400, "redirect_pool_id", "redirect_url"):
        a_change(redirect_pool_id=POOL, redirect_url=URL)
    with refused(400, "action"):
        a_change(action=None)
    assert a_change(redirect_pool_id=POOL) == L7PolicyChanges(redirect_pool_id=PoolId(POOL))
    to_url = a_change(action="REDIRECT_TO_URL", redirect_pool_id=POOL, redirect_url=URL)
    assert to_url == L7PolicyChanges(action="REDIRECT_TO_URL", redirect_url=URL)


def test_null_in_a_change_of_a_policy_means_its_default_and_leaves_the_position() -> None:
    changes = a_change(name=None, position=None, redirect_http_code=None, admin_state_up=None)
    assert changes == L7PolicyChanges(name="", redirect_http_code=None, admin_state_up=False)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "HOST_NAME", "compare_type": "ENDS_WITH", "value": ".example"},
        {"compare_type": "REGEX", "value": "^/(a|b)[0-9]+$"},
        {"value": '"a path with blanks"'},
        {"type": "HEADER", "compare_type": "CONTAINS", "key": "X-Kind", "value": "blue;q=1"},
        {"type": "COOKIE", "compare_type": "STARTS_WITH", "key": "kind", "value": "blue"},
        {"type": "FILE_TYPE", "value": "png"},
        {"type": "SSL_CONN_HAS_CERT", "value": "True"},
        {"type": "SSL_VERIFY_RESULT", "value": "0"},
        {"type": "SSL_DN_FIELD", "key": "CN", "compare_type": "STARTS_WITH", "value": "some body"},
    ],
)
def test_every_type_of_rule_can_be_had(fields: dict[str, Any]) -> None:
    made = a_rule(**fields).wish("r")
    assert {name: getattr(made, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"value": None}, "value"),
        ({"value": "a b"}, "value"),
        ({"value": 'a"b'}, "value"),
        ({"value": ""}, "value"),
        ({"value": "a\nb"}, "value"),
        ({"value": "/\u00e9"}, "value"),
        ({"compare_type": "REGEX", "value": "("}, "value"),
        ({"compare_type": "REGEX", "value": "a{99999999999}"}, "value"),
        ({"compare_type": "REGEX", "value": ""}, "value"),
        ({"compare_type": "LIKE"}, "compare_type"),
        ({"type": "FILE_TYPE", "compare_type": "CONTAINS"}, "compare_type"),
        ({"type": "HEADER"}, "key"),
        ({"type": "HEADER", "key": "X Kind"}, "key"),
        ({"type": "HEADER", "key": "X-Kind\r\n"}, "key"),
        ({"type": "COOKIE", "key": ""}, "key"),
        ({"type": "COOKIE", "key": "kind", "value": "a,b"}, "value"),
        ({"type": "SSL_CONN_HAS_CERT", "value": "false"}, "value"),
        ({"type": "SSL_CONN_HAS_CERT", "value": "true", "key": "k"}, "key"),
        ({"type": "SSL_CONN_HAS_CERT", "value": "true", "compare_type": "REGEX"}, "compare_type"),
        ({"type": "SSL_VERIFY_RESULT", "value": "-1"}, "value"),
        ({"type": "SSL_DN_FIELD", "key": "1CN", "value": "a"}, "key"),
    ],
)
def test_a_rule_that_no_request_could_be_held_against_is_refused_by_name(fields: dict[str, Any], word: str) -> None:
    with refused(400, word):
        a_rule(**fields)


def test_a_changed_rule_is_checked_as_a_whole_and_loses_a_key_that_it_does_not_use() -> None:
    stored = {"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-Kind", "value": "blue"}

    def change(**fields: Any) -> L7RuleChanges:
        sent = parse(L7RulePut, "rule", fields)
        l7_rule.check_change(sent, stored=stored)
        return sent.changes(stored)

    assert change(value="red") == L7RuleChanges(value="red")
    assert change(type="PATH", value="/a") == L7RuleChanges(type="PATH", value="/a", key=None)
    for fields, word in (
        ({"key": None}, "key"),
        ({"value": None}, "value"),
        ({"type": "SSL_DN_FIELD", "key": "-"}, "key"),
    ):
        with refused(400, word):
            change(**fields)
    with refused(400, "compare_type"):
        change(compare_type=None)


def test_the_policies_of_a_tree_stand_in_the_order_of_their_positions() -> None:
    policies: list[dict[str, Any]] = [
        {"name": "last", "action": "REJECT"},
        {"name": "first", "action": "REJECT", "position": 1},
        {"name": "second", "action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "q"}, "position": 2},
    ]
    rules = [{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}]
    sent = parse(
        LoadBalancerPost,
        "loadbalancer",
        {
            "vip_subnet_id": PUBLIC,
            "listeners": [
                {
                    "protocol": "HTTP",
                    "protocol_port": 80,
                    "l7policies": [{**policies[0], "rules": rules}, *policies[1:]],
                }
            ],
            "pools": [{"name": "q", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}],
        },
    )
    tree = load_balancer.tree(sent, CountingIds(), SETTINGS)
    assert [(each.policy.name, each.policy.position) for each in tree.l7_policies] == [
        ("first", 1),
        ("second", 2),
        ("last", 3),
    ]
    assert tree.l7_policies[1].policy.redirect_pool_id == tree.pools[0].pool.id
    assert [rule.value for rule in tree.l7_policies[2].rules] == ["/a"]
    assert {each.policy.listener_id for each in tree.l7_policies} == {tree.listeners[0].id}


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ({"action": "REDIRECT_TO_POOL"}, "redirect_pool"),
        ({"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "none"}}, "'none'"),
        ({"action": "REDIRECT_TO_POOL", "redirect_pool_id": POOL}, "redirect_pool_id"),
        ({"action": "REJECT", "rules": [{"type": "HEADER", "compare_type": "REGEX", "value": "a"}]}, "key"),
    ],
)
def test_a_wrong_policy_in_a_tree_is_refused(policy: dict[str, Any], word: str) -> None:
    body = {"vip_subnet_id": PUBLIC, "listeners": [{"protocol": "HTTP", "protocol_port": 80, "l7policies": [policy]}]}
    with refused(400, word):
        load_balancer.tree(parse(LoadBalancerPost, "loadbalancer", body), CountingIds(), SETTINGS)
