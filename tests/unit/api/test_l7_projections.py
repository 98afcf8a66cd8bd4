"""Given events of L7 policies and rules, expect rows: their statuses, positions, and which listeners use which pools."""

from typing import Any

import msgspec
import pytest

from actium_api.read_model import documents, queries
from actium_api.read_model.tables import L7_POLICIES, L7_RULES, LISTENERS, LOAD_BALANCERS, POOLS, TAGS
from actium_shared.events.load_balancer import (
    L7PoliciesOrdered,
    L7PolicyCreated,
    L7PolicyRemoved,
    L7PolicyUpdated,
    L7RuleCreated,
    L7RuleRemoved,
    L7RuleUpdated,
    ListenerCreated,
    ListenerRemoved,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    MemberUpdated,
    PoolCreated,
    PoolUpdated,
    RoundEnded,
    RoundFailed,
)
from actium_shared.ids import L7PolicyId, PoolId
from builders import LB, LISTENER, POLICY, POOL, RULE, an_id, l7_policy, l7_rule, listener, load_balancer, member, pool
from unit.api.given import ReadModel

OTHER_POLICY = L7PolicyId(an_id("other policy"))
OTHER_POOL = PoolId(an_id("other pool"))
REDIRECTING: dict[str, Any] = {"action": "REDIRECT_TO_POOL", "redirect_pool_id": POOL, "position": 1}


def about(generation: int) -> dict[str, Any]:
    return {"load_balancer_id": LB, "generation": generation}


@pytest.fixture
def active() -> ReadModel:
    """One listener, one pool that nothing but a policy uses, and that policy with a rule."""
    model = ReadModel()
    model.happened(
        LoadBalancerCreated(load_balancer=load_balancer(), **about(1)),
        PoolCreated(pool=pool(), **about(1)),
        ListenerCreated(listener=listener(), **about(1)),
        L7PolicyCreated(l7_policy=l7_policy(tags=("a",), **REDIRECTING), **about(1)),
        L7RuleCreated(l7_policy_id=POLICY, l7_rule=l7_rule(type="HEADER", key="X-Kind", value="blue"), **about(1)),
    )
    assert set(provisioning(model).values()) == {"PENDING_CREATE"}
    model.happened(RoundEnded(load_balancer_id=LB, generation=1))
    return model


def provisioning(model: ReadModel) -> dict[str, str]:
    named = {
        "load balancer": (LOAD_BALANCERS, LB),
        "listener": (LISTENERS, LISTENER),
        "pool": (POOLS, POOL),
        "policy": (L7_POLICIES, POLICY),
        "rule": (L7_RULES, RULE),
    }
    return {
        name: model.show(table, row_id)["provisioning_status"]
        for name, (table, row_id) in named.items()
        if model.has(table, row_id)
    }


def test_policies_and_rules_show_each_other_and_are_online_when_active(active: ReadModel) -> None:
    policy, rule = active.show(L7_POLICIES, POLICY), active.show(L7_RULES, RULE)
    assert active.show(LISTENERS, LISTENER)["l7policies"] == [{"id": POLICY}]
    assert (policy["rules"], policy["listener_id"]) == ([{"id": RULE}], LISTENER)
    assert (policy["redirect_pool_id"], policy["position"], policy["tags"]) == (POOL, 1, ["a"])
    assert (policy["redirect_url"], policy["redirect_http_code"]) == (None, None)
    assert (rule["key"], rule["value"], rule["invert"]) == ("X-Kind", "blue", False)
    assert {policy["operating_status"], rule["operating_status"]} == {"ONLINE"}
    assert set(provisioning(active).values()) == {"ACTIVE"}


def test_a_changed_policy_makes_its_listener_pending_and_not_its_pool(active: ReadModel) -> None:
    active.happened(L7PolicyUpdated(l7_policy=l7_policy(admin_state_up=False, **REDIRECTING), **about(2)))
    assert provisioning(active) == {
        "load balancer": "PENDING_UPDATE",
        "listener": "PENDING_UPDATE",
        "pool": "ACTIVE",
        "policy": "PENDING_UPDATE",
        "rule": "ACTIVE",
    }
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert active.show(L7_POLICIES, POLICY)["operating_status"] == "OFFLINE"


def test_a_changed_rule_makes_its_policy_pending_too(active: ReadModel) -> None:
    active.happened(L7RuleUpdated(l7_policy_id=POLICY, l7_rule=l7_rule(value="/b"), **about(2)))
    assert provisioning(active) == {
        "load balancer": "PENDING_UPDATE",
        "listener": "PENDING_UPDATE",
        "pool": "ACTIVE",
        "policy": "PENDING_UPDATE",
        "rule": "PENDING_UPDATE",
    }
    assert active.show(L7_RULES, RULE)["key"] is None
    active.happened(RoundFailed(load_balancer_id=LB, generation=2, reason="r"))
    assert provisioning(active)["rule"] == "ERROR"


def test_a_new_order_moves_policies_and_makes_none_of_them_pending(active: ReadModel) -> None:
    active.happened(
        L7PolicyCreated(l7_policy=l7_policy(id=OTHER_POLICY, position=1), **about(2)),
        L7PoliciesOrdered(listener_id=LISTENER, l7_policy_ids=(OTHER_POLICY, POLICY), **about(2)),
    )
    assert active.show(L7_POLICIES, POLICY)["position"] == 2
    assert active.show(LISTENERS, LISTENER)["l7policies"] == [{"id": OTHER_POLICY}, {"id": POLICY}]
    assert provisioning(active)["policy"] == "ACTIVE"


def test_a_removed_policy_goes_with_its_rules_and_tags_when_the_round_ends(active: ReadModel) -> None:
    active.happened(L7PolicyRemoved(listener_id=LISTENER, l7_policy_id=POLICY, **about(2)))
    assert provisioning(active)["policy"] == "PENDING_DELETE"
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert not active.has(L7_POLICIES, POLICY)
    assert not active.has(L7_RULES, RULE)
    assert active.contents()[TAGS.name] == []
    assert active.show(LISTENERS, LISTENER)["l7policies"] == []
    assert active.show(POOLS, POOL)["listeners"] == []


def test_a_removed_rule_is_gone_when_the_round_ends_and_its_policy_then_uses_no_pool(active: ReadModel) -> None:
    active.happened(L7RuleRemoved(l7_policy_id=POLICY, l7_rule_id=RULE, **about(2)))
    assert provisioning(active)["rule"] == "PENDING_DELETE"
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert active.show(L7_POLICIES, POLICY)["rules"] == []
    assert active.show(POOLS, POOL)["listeners"] == []


def test_a_removed_listener_takes_its_policies_and_their_rules_along(active: ReadModel) -> None:
    active.happened(ListenerRemoved(listener_id=LISTENER, **about(2)))
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert set(provisioning(active)) == {"load balancer", "pool"}
    assert active.show(POOLS, POOL)["listeners"] == []


def test_a_pool_shows_the_listeners_whose_enabled_policies_with_rules_redirect_to_it(active: ReadModel) -> None:
    assert active.show(POOLS, POOL)["listeners"] == [{"id": LISTENER}]
    active.happened(L7PolicyUpdated(l7_policy=l7_policy(admin_state_up=False, **REDIRECTING), **about(2)))
    assert active.show(POOLS, POOL)["listeners"] == []
    active.happened(
        PoolCreated(pool=pool(id=OTHER_POOL), **about(3)),
        L7PolicyUpdated(l7_policy=l7_policy(**REDIRECTING | {"redirect_pool_id": OTHER_POOL}), **about(3)),
    )
    assert active.show(POOLS, OTHER_POOL)["listeners"] == [{"id": LISTENER}]
    assert active.show(POOLS, POOL)["listeners"] == []


def test_a_change_of_a_pool_makes_the_listeners_pending_that_redirect_to_it(active: ReadModel) -> None:
    active.happened(PoolUpdated(pool=pool(name="new"), **about(2)))
    assert provisioning(active)["listener"] == "PENDING_UPDATE"
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    active.happened(MemberUpdated(pool_id=POOL, member=member(), **about(3)))
    assert provisioning(active)["listener"] == "PENDING_UPDATE"


def test_nothing_is_left_of_a_deleted_load_balancer(active: ReadModel) -> None:
    active.happened(LoadBalancerDeleted(load_balancer_id=LB))
    left = {name: rows for name, rows in active.contents().items() if rows}
    assert set(left) == {"positions"}


def test_trees_show_policies_with_rules_and_the_pools_that_policies_use(active: ReadModel) -> None:
    with active.database.engine.connect() as connection:
        found = queries.tree(connection, LB)
    assert found is not None
    whole = documents.load_balancer_tree(**found.decoded())
    (shown,) = whole["listeners"][0]["l7policies"]
    assert (shown["id"], shown["rules"][0]["key"]) == (POLICY, "X-Kind")
    statuses = documents.status_tree(**found.decoded())
    assert [each["id"] for each in statuses["listeners"][0]["pools"]] == [POOL]
    assert msgspec.json.encode(statuses).count(POLICY.encode()) == 0
