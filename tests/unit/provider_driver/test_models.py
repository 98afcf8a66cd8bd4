"""What octavia-lib hands over becomes our commands: there and back, nothing that it knows is lost."""

from typing import Any

import msgspec
import pytest
from octavia_lib.api.drivers.data_models import Listener as TheirListener

import builders as a
from actium_api.drivers import vendor_models as theirs
from actium_provider_driver import models as ours
from actium_shared.commands import planner as commands
from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7PolicyWish,
    L7Rule,
    Listener,
    LoadBalancerWish,
    Member,
    Pool,
    PoolWish,
    SessionPersistence,
)

LISTENER = a.listener(
    default_pool_id=a.POOL,
    timeout_client_data_ms=7_000,
    insert_headers={"X-Forwarded-For": "true"},
    allowed_cidrs=("10.0.0.0/8",),
    default_tls_container_ref="https://barbican.example/v1/containers/one",
    sni_container_refs=("https://barbican.example/v1/containers/two",),
    client_authentication="MANDATORY",
    tls_versions=("TLSv1.3",),
    hsts_max_age_s=5,
    hsts_preload=True,
)
POOL = a.pool(
    session_persistence=SessionPersistence(type="APP_COOKIE", cookie_name="c", persistence_timeout_s=3),
    tls_enabled=True,
)
MEMBER = a.member(name="m", weight=7, backup=True, monitor_port=81)
MONITOR = a.health_monitor(url_path="/up", max_retries_down=2)
POLICY, RULE = a.l7_policy(position=1), a.l7_rule(invert=True)
TREE = LoadBalancerWish(
    generation=1,
    load_balancer=a.load_balancer(name="web", flavor={"sites": ("a", "b")}),
    listeners=(LISTENER,),
    pools=(PoolWish(pool=POOL, members=(MEMBER,), health_monitor=MONITOR),),
    l7_policies=(L7PolicyWish(policy=POLICY, rules=(RULE,)),),
)
PROJECT = TREE.load_balancer.project_id


@pytest.mark.parametrize(
    ("wish", "kind", "sent"),
    [
        (LISTENER, Listener, ours.listener(theirs.listener(LISTENER, TREE))),
        (POOL, Pool, ours.pool(theirs.pool(POOL, of=a.LB, project_id=PROJECT))),
        (MEMBER, Member, ours.member(theirs.member(MEMBER, a.POOL, PROJECT))),
        (MONITOR, HealthMonitor, ours.health_monitor(theirs.health_monitor(MONITOR, a.POOL, PROJECT))),
        (POLICY, L7Policy, ours.l7_policy(theirs.l7_policy(L7PolicyWish(policy=POLICY), TREE))),
        (RULE, L7Rule, ours.l7_rule(theirs.l7_rule(RULE, POLICY, PROJECT))),
    ],
    ids=["listener", "pool", "member", "health monitor", "L7 policy", "L7 rule"],
)
def test_an_object_comes_through_whole(wish: Any, kind: type[Any], sent: dict[str, Any]) -> None:
    assert msgspec.convert(sent, kind) == wish
    assert sent.keys() <= set(kind.__struct_fields__)


def test_a_whole_tree_comes_through() -> None:
    vip = msgspec.to_builtins(TREE.load_balancer.vip)
    body = ours.load_balancer(theirs.load_balancer(TREE), vip, [])
    command = msgspec.convert(body, commands.CreateLoadBalancer)
    assert (command.listeners, command.pools, command.l7_policies) == (TREE.listeners, TREE.pools, TREE.l7_policies)
    assert command.load_balancer == TREE.load_balancer


def test_what_is_unset_is_left_out_and_null_is_the_default() -> None:
    model = TheirListener(listener_id=a.LISTENER, connection_limit=None, default_pool_id=None, name="x")
    assert ours.changes(model, ours.LISTENER) == {"connection_limit": -1, "default_pool_id": None, "name": "x"}


@pytest.mark.parametrize(
    ("names", "fixed", "kind"),
    [
        (ours.LOAD_BALANCER, (), commands.LoadBalancerChanges),
        (ours.LISTENER, ("protocol", "protocol_port"), commands.ListenerChanges),
        (ours.POOL, ("protocol",), commands.PoolChanges),
        (ours.MEMBER, ("address", "protocol_port", "subnet_id", "vnic_type"), commands.MemberChanges),
        (ours.HEALTH_MONITOR, ("type",), commands.HealthMonitorChanges),
        (ours.L7_POLICY, ("listener_id",), commands.L7PolicyChanges),
        (ours.L7_RULE, (), commands.L7RuleChanges),
    ],
)
def test_everything_that_can_be_changed_can_be_told(names: ours.Names, fixed: tuple[str, ...], kind: type[Any]) -> None:
    told = {ours_name for its, (ours_name, _) in names.items() if its not in fixed}
    assert told == set(kind.__struct_fields__) - {"tags"}
