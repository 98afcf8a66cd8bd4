"""A whole tree in one call: one wish, all or nothing, recognised when it comes again."""

import time

from msgspec.structs import replace

import builders as a
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.commands import planner as commands
from actium_shared.ids import L7PolicyId, L7RuleId, LoadBalancerId, PoolId
from actium_shared.message import Reason
from actium_shared.wishes import L7PolicyWish, PoolWish
from unit.planner.lives import grown, happens, why

SECOND = L7PolicyId(a.an_id("second"))
OTHER_POOL = PoolId(a.an_id("other-pool"))
TREE = commands.CreateLoadBalancer(
    load_balancer_id=a.LB,
    load_balancer=a.load_balancer(),
    listeners=(a.listener(default_pool_id=a.POOL),),
    pools=(
        PoolWish(pool=a.pool(), members=(a.member(),), health_monitor=a.health_monitor()),
        PoolWish(pool=a.pool(id=OTHER_POOL)),
    ),
    l7_policies=(
        L7PolicyWish(
            policy=a.l7_policy(action="REDIRECT_TO_POOL", redirect_pool_id=OTHER_POOL),
            rules=(a.l7_rule(), a.l7_rule(id=L7RuleId(a.an_id("second-rule")), value="/b")),
        ),
        L7PolicyWish(policy=a.l7_policy(id=SECOND, position=1)),
    ),
)
NOTHING = LoadBalancerState()


def test_a_tree_is_one_wish_in_an_order_in_which_everything_exists() -> None:
    happened = happens(TREE, NOTHING)
    assert {getattr(event, "generation", None) for event in happened} == {1}
    assert [event.TYPE for event in happened] == [
        "loadbalancer.created",
        "pool.created",
        "member.created",
        "healthmonitor.created",
        "pool.created",
        "listener.created",
        "l7policy.created",
        "l7rule.created",
        "l7rule.created",
        "l7policy.created",
        "l7policy.ordered",
    ]


def test_the_wish_shows_the_tree_with_its_policies_in_order() -> None:
    wish = grown(NOTHING, TREE).wish()
    assert wish.generation == 1
    assert [(each.policy.id, each.policy.position, len(each.rules)) for each in wish.l7_policies] == [
        (SECOND, 1, 0),
        (a.POLICY, 2, 2),
    ]


def test_the_same_tree_again_changes_nothing() -> None:
    assert happens(TREE, grown(NOTHING, TREE)) == []


def test_one_bad_rule_refuses_the_whole_tree() -> None:
    bad = L7PolicyWish(policy=a.l7_policy(), rules=(a.l7_rule(compare_type="REGEX", value="("),))
    assert why(replace(TREE, l7_policies=(bad,)), NOTHING) == (Reason.INVALID, "value")
    assert why(replace(TREE, pools=()), NOTHING)[0] is Reason.NOT_FOUND


def test_a_tree_that_names_another_load_balancer_than_it_is_for_is_refused() -> None:
    other = replace(TREE.load_balancer, id=LoadBalancerId(a.an_id("another")))
    assert why(replace(TREE, load_balancer=other), NOTHING) == (Reason.INVALID, "load_balancer.id")


def test_a_large_pool_is_decided_on_in_one_pass() -> None:
    """Twice as many members take twice as long, not four times: one tenant's request must not hold up all others."""

    def took_s(count: int) -> float:
        members = tuple(
            a.member(id=a.an_id(f"m{number}"), address=f"10.{number >> 8}.{number & 255}.1") for number in range(count)
        )
        wish = replace(
            TREE, pools=(PoolWish(pool=a.pool(), members=members), *TREE.pools[1:]), listeners=(), l7_policies=()
        )
        began = time.process_time()
        assert len(happens(wish, NOTHING)) >= count
        return time.process_time() - began

    def at_best_s(count: int) -> float:
        return min(
            took_s(count) for _ in range(3)
        )  # what else the process has to do, such as collecting garbage, only adds

    took_s(1000)
    assert at_best_s(16_000) < 40 * at_best_s(1000)
