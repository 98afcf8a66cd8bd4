"""Commands as calls of octavia-lib's interface: every one has a method there, and what changes is told as it asks."""

from typing import Any

import pytest
from octavia_lib.api.drivers.data_models import Unset
from octavia_lib.api.drivers.provider_base import ProviderDriver

import builders as a
from actium_api.drivers import vendor_calls, vendor_vips
from actium_api.faults import Fault
from actium_planner.deciders.load_balancer.proposals import NOT_PROPOSED
from actium_shared.commands import planner as commands
from actium_shared.commands.network import ReserveVip
from actium_shared.commands.planner import BatchMember, LoadBalancerCommand
from actium_shared.ids import L7PolicyId
from actium_shared.wishes import L7PolicyWish, LoadBalancerWish, PoolWish

TREE = LoadBalancerWish(
    generation=1,
    load_balancer=a.load_balancer(tags=("blue",)),
    listeners=(a.listener(default_pool_id=a.POOL),),
    pools=(PoolWish(pool=a.pool(), members=(a.member(name="m"),), health_monitor=a.health_monitor()),),
    l7_policies=(L7PolicyWish(policy=a.l7_policy(position=1), rules=(a.l7_rule(),)),),
)
LB: dict[str, Any] = {"load_balancer_id": a.LB}
IN_POOL: dict[str, Any] = {**LB, "pool_id": a.POOL}
MONITOR: dict[str, Any] = {**IN_POOL, "health_monitor_id": a.MONITOR}
RULE: dict[str, Any] = {**LB, "l7_policy_id": a.POLICY, "l7_rule_id": a.RULE}
EVERY: tuple[tuple[LoadBalancerCommand, str], ...] = (
    (a.create_load_balancer(), "loadbalancer_create"),
    (commands.UpdateLoadBalancer(**LB, changes=commands.LoadBalancerChanges(name="x")), "loadbalancer_update"),
    (commands.DeleteLoadBalancer(**LB), "loadbalancer_delete"),
    (commands.FailOverLoadBalancer(**LB), "loadbalancer_failover"),
    (a.create_listener(), "listener_create"),
    (
        commands.UpdateListener(**LB, listener_id=a.LISTENER, changes=commands.ListenerChanges(hsts_max_age_s=5)),
        "listener_update",
    ),
    (commands.DeleteListener(**LB, listener_id=a.LISTENER), "listener_delete"),
    (a.create_pool(), "pool_create"),
    (commands.UpdatePool(**IN_POOL, changes=commands.PoolChanges(name="x")), "pool_update"),
    (commands.DeletePool(**IN_POOL), "pool_delete"),
    (a.create_member(), "member_create"),
    (
        commands.UpdateMember(**IN_POOL, member_id=a.MEMBER, changes=commands.MemberChanges(weight=3)),
        "member_update",
    ),
    (commands.DeleteMember(**IN_POOL, member_id=a.MEMBER), "member_delete"),
    (commands.ReplaceMembers(**IN_POOL, members=()), "member_batch_update"),
    (a.create_health_monitor(), "health_monitor_create"),
    (
        commands.UpdateHealthMonitor(**MONITOR, changes=commands.HealthMonitorChanges(delay_s=9)),
        "health_monitor_update",
    ),
    (commands.DeleteHealthMonitor(**MONITOR), "health_monitor_delete"),
    (a.create_l7_policy(), "l7policy_create"),
    (
        commands.UpdateL7Policy(**LB, l7_policy_id=a.POLICY, changes=commands.L7PolicyChanges(name="x")),
        "l7policy_update",
    ),
    (commands.DeleteL7Policy(**LB, l7_policy_id=a.POLICY), "l7policy_delete"),
    (a.create_l7_rule(), "l7rule_create"),
    (commands.UpdateL7Rule(**RULE, changes=commands.L7RuleChanges(value="/b")), "l7rule_update"),
    (commands.DeleteL7Rule(**RULE), "l7rule_delete"),
)


@pytest.mark.parametrize(("command", "method"), EVERY, ids=lambda each: each if isinstance(each, str) else "")
def test_every_command_is_a_call_of_the_interface(command: LoadBalancerCommand, method: str) -> None:
    call = vendor_calls.call(command, TREE)
    assert call.method == method
    assert callable(getattr(ProviderDriver, method))


def test_every_wish_that_can_be_proposed_is_among_them() -> None:
    told = {type(command) for command, _ in EVERY}
    assert told == {each for each in commands.COMMANDS if issubclass(each, LoadBalancerCommand)} - set(NOT_PROPOSED)


@pytest.mark.parametrize(
    ("method", "field", "before", "after"),
    [
        ("listener_update", "hsts_max_age", None, 5),
        ("health_monitor_update", "delay", 1, 9),
        ("member_update", "weight", 1, 3),
    ],
)
def test_a_change_is_the_old_object_and_one_with_what_changes(
    method: str, field: str, before: object, after: object
) -> None:
    command = next(command for command, name in EVERY if name == method)
    old, new = vendor_calls.call(command, TREE).arguments
    assert (getattr(old, field), getattr(new, field)) == (before, after)
    assert new.name is Unset
    assert len(new.to_dict(recurse=True)) == 2  # its id, and that


def test_a_batch_is_the_whole_list_that_is_wanted() -> None:
    known, new = a.member(id=a.an_id("1"), weight=7), a.member(id=a.an_id("2"), address="10.1.0.11")
    batch = commands.ReplaceMembers(**IN_POOL, members=(BatchMember(member=known), BatchMember(member=new)))
    pool_id, wanted = vendor_calls.call(batch, TREE).arguments
    assert pool_id == a.POOL
    assert [(each.member_id, each.name, each.weight) for each in wanted] == [
        (a.MEMBER, "m", 7),
        (a.an_id("2"), "", 1),
    ]


@pytest.mark.parametrize(
    ("command", "before", "method"),
    [
        (a.create_load_balancer(), None, "loadbalancer_delete"),
        (a.create_load_balancer(), TREE, None),
        (a.create_member(id=a.an_id("another")), TREE, "member_delete"),
        (a.create_member(), TREE, None),
        (a.create_member(), None, None),
        (commands.CreateL7Rule(**LB, l7_policy_id=L7PolicyId("gone"), l7_rule=a.l7_rule(id="another")), TREE, None),
        (commands.DeletePool(**IN_POOL), TREE, None),
    ],
    ids=["a creation", "one that counts", "a child", "one that is there", "of what is gone", "in what is gone", "none"],
)
def test_what_may_have_been_created_is_undone_by_a_deletion_unless_it_counts_meanwhile(
    command: LoadBalancerCommand, before: LoadBalancerWish | None, method: str | None
) -> None:
    call = vendor_calls.undoing(command, before)
    assert (call and call.method) == method


def test_data_of_a_flavor_are_handed_over_as_they_were_written() -> None:
    wish = a.create_load_balancer(flavor={"sites": ("a", "b"), "speed": 3})
    (given,) = vendor_calls.call(wish, None).arguments
    assert given.flavor == {"sites": ["a", "b"], "speed": 3}


def test_what_is_not_there_is_not_found() -> None:
    empty = LoadBalancerWish(generation=1, load_balancer=a.load_balancer())
    for command, method in EVERY:
        if method.endswith(("_update", "_delete")) and not method.startswith("loadbalancer"):
            with pytest.raises(Fault, match="not found"):
                vendor_calls.call(command, empty)


def test_a_vip_that_a_driver_makes_is_read_back() -> None:
    wish = ReserveVip(load_balancer_id=a.LB, project_id=a.load_balancer().project_id, subnet_id=a.PUBLIC)
    own, more = vendor_vips.wished(wish)
    assert (own["vip_subnet_id"], own["vip_address"], more) == (a.PUBLIC, None, [])
    made = {**own, "vip_address": "2001:db8::1", "vip_port_id": "port", "vip_network_id": "net"}
    found = vendor_vips.reservation((made, []), wish)
    assert (found.vip.address, found.vip.prefix_length, found.vip.port_id) == ("2001:db8::1", 128, "port")
    for nonsense in (made, None, ({}, [])):
        with pytest.raises((KeyError, TypeError, ValueError)):
            vendor_vips.reservation(nonsense, wish)
