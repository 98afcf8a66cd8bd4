"""Values, events and commands with everything filled in that a test does not care about."""

from typing import Any

from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.ids import (
    HealthMonitorId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    PoolId,
    PortId,
    ProjectId,
    SubnetId,
    derived_id,
)
from actium_shared.wishes import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool, Vip


def an_id(name: str) -> str:
    """Give the same UUID for the same name."""
    return derived_id("test", name)


LB = LoadBalancerId(an_id("lb"))
LISTENER = ListenerId(an_id("listener"))
POOL = PoolId(an_id("pool"))
MEMBER = MemberId(an_id("member"))
MONITOR = HealthMonitorId(an_id("monitor"))
POLICY = L7PolicyId(an_id("policy"))
RULE = L7RuleId(an_id("rule"))
PUBLIC = SubnetId(an_id("public"))
TENANT = SubnetId(an_id("tenant"))
LAST = 2**31 - 1
"""The position that stands for the end."""


def vip(**fields: Any) -> Vip:
    defaults: dict[str, Any] = {
        "address": "203.0.113.100",
        "prefix_length": 24,
        "port_id": PortId(an_id("vip-port")),
        "subnet_id": PUBLIC,
        "network_id": NetworkId(an_id("public-network")),
        "gateway": "203.0.113.1",
    }
    return Vip(**(defaults | fields))


def load_balancer(**fields: Any) -> LoadBalancer:
    defaults: dict[str, Any] = {"id": LB, "project_id": ProjectId("p"), "vip": vip(), "name": "web"}
    return LoadBalancer(**(defaults | fields))


def listener(**fields: Any) -> Listener:
    defaults: dict[str, Any] = {"id": LISTENER, "protocol": "HTTP", "protocol_port": 80}
    return Listener(**(defaults | fields))


def pool(**fields: Any) -> Pool:
    defaults: dict[str, Any] = {"id": POOL, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    return Pool(**(defaults | fields))


def member(**fields: Any) -> Member:
    defaults: dict[str, Any] = {"id": MEMBER, "address": "10.1.0.10", "protocol_port": 80}
    return Member(**(defaults | fields))


def health_monitor(**fields: Any) -> HealthMonitor:
    defaults: dict[str, Any] = {"id": MONITOR, "type": "HTTP", "delay_s": 1, "timeout_s": 1, "max_retries": 2}
    return HealthMonitor(**(defaults | fields))


def l7_policy(**fields: Any) -> L7Policy:
    defaults: dict[str, Any] = {"id": POLICY, "listener_id": LISTENER, "action": "REJECT", "position": LAST}
    return L7Policy(**(defaults | fields))


def l7_rule(**fields: Any) -> L7Rule:
    defaults: dict[str, Any] = {"id": RULE, "type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}
    return L7Rule(**(defaults | fields))


def create_load_balancer(**fields: Any) -> commands.CreateLoadBalancer:
    value = load_balancer(**fields)
    return commands.CreateLoadBalancer(load_balancer_id=value.id, load_balancer=value)


def created(**fields: Any) -> events.LoadBalancerCreated:
    value = load_balancer(**fields)
    return events.LoadBalancerCreated(load_balancer_id=value.id, generation=1, load_balancer=value)


def create_listener(**fields: Any) -> commands.CreateListener:
    return commands.CreateListener(load_balancer_id=LB, listener=listener(**fields))


def create_pool(*, listener_id: ListenerId | None = None, **fields: Any) -> commands.CreatePool:
    return commands.CreatePool(load_balancer_id=LB, pool=pool(**fields), listener_id=listener_id)


def create_member(*, pool_id: PoolId = POOL, **fields: Any) -> commands.CreateMember:
    return commands.CreateMember(load_balancer_id=LB, pool_id=pool_id, member=member(**fields))


def create_health_monitor(*, pool_id: PoolId = POOL, **fields: Any) -> commands.CreateHealthMonitor:
    return commands.CreateHealthMonitor(load_balancer_id=LB, pool_id=pool_id, health_monitor=health_monitor(**fields))


def create_l7_policy(**fields: Any) -> commands.CreateL7Policy:
    return commands.CreateL7Policy(load_balancer_id=LB, l7_policy=l7_policy(**fields))


def create_l7_rule(*, l7_policy_id: L7PolicyId = POLICY, **fields: Any) -> commands.CreateL7Rule:
    return commands.CreateL7Rule(load_balancer_id=LB, l7_policy_id=l7_policy_id, l7_rule=l7_rule(**fields))
