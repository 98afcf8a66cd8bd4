"""Quotas: how they are shown and set, and that they hold."""

from collections.abc import Iterator
from typing import Any

from differential.story import MEMBER, MONITOR, POOL, RULE, SUBNET, Story

KINDS = ("loadbalancer", "listener", "pool", "member", "healthmonitor", "l7policy", "l7rule")
MINE = "quotas?project_id=limited"


def settings() -> Iterator[Story]:
    story = Story("quotas")
    for path in ("quotas/limited", "quotas/defaults", "quotas/limited/default", MINE, "quotas/limited/bogus"):
        story.get(path)
    story.delete("quotas/limited", name="DELETE of what was never set")
    for wish in (
        {"loadbalancer": 1},
        {"load_balancer": 2, "health_monitor": 3},
        {"pool": -1},
        {"pool": 0},
        {"pool": -2},
        {"pool": 2000000000},
        {"pool": 2000000001},
        {"pool": "7"},
        {"pool": "x"},
        {"pool": None},
        {"router": 1},
        {},
        {"project_id": "p"},
    ):
        story.put("quotas/limited", "quota", wish, name=f"PUT {wish}")
    story.get("quotas/limited")
    story.get(MINE)
    story.get(f"{MINE}&fields=pool")
    story.ask("POST", "quotas", {"quota": {"pool": 1}})
    story.ask("PUT", "quotas/limited", {})
    story.delete("quotas/limited")
    story.get("quotas/limited", name="reset")
    story.get(MINE, name="reset list")
    story.put("quotas/limited", "quota", {"loadbalancer": 4, "load_balancer": 5}, name="both spellings")
    yield story


def limits() -> Iterator[Story]:
    for kind in KINDS:
        story = Story(f"a quota of {kind}")
        project = f"limited-{kind}"
        lb = story.load_balancer(project_id=project)
        listener, pool = story.listener(lb), story.pool(lb)
        policy = story.policy(listener)
        makers: dict[str, tuple[str, str, Any]] = {
            "loadbalancer": ("loadbalancers", "loadbalancer", {"vip_subnet_id": SUBNET, "project_id": project}),
            "listener": ("listeners", "listener", {"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 81}),
            "pool": ("pools", "pool", {"loadbalancer_id": lb, **POOL}),
            "member": (f"pools/{pool}/members", "member", MEMBER),
            "healthmonitor": ("healthmonitors", "healthmonitor", {"pool_id": pool, **MONITOR}),
            "l7policy": ("l7policies", "l7policy", {"listener_id": listener, "action": "REJECT"}),
            "l7rule": (f"l7policies/{policy}/rules", "rule", RULE),
        }
        path, key, wish = makers[kind]
        held = 1 if kind in ("loadbalancer", "listener", "pool", "l7policy") else 0
        story.put(f"quotas/{project}", "quota", {kind: held}, is_told=False)
        story.attempt(path, key, wish, name="one too many")
        story.put(f"quotas/{project}", "quota", {kind: held + 1}, is_told=False)
        story.attempt(path, key, wish, name="one that fits")
        story.attempt(path, key, wish, name="one that fits again")
        yield story


def trees() -> Iterator[Story]:
    story = Story("quotas and trees")
    project = "limited-tree"
    pools = [{"name": f"p{number}", **POOL, "members": [MEMBER], "healthmonitor": MONITOR} for number in range(2)]
    policy = {"action": "REJECT", "rules": [RULE, {**RULE, "value": "/b"}]}
    listeners = [{"protocol": "HTTP", "protocol_port": port, "l7policies": [policy]} for port in (80, 81)]
    wish = {"vip_subnet_id": SUBNET, "project_id": project, "pools": pools, "listeners": listeners}
    counts = {"loadbalancer": 1, "listener": 2, "pool": 2, "member": 2, "healthmonitor": 2, "l7policy": 2, "l7rule": 4}
    for kind, count in counts.items():
        story.put(f"quotas/{project}", "quota", {**counts, kind: count - 1}, is_told=False)
        story.attempt("loadbalancers", "loadbalancer", wish, name=f"one {kind} too many")
    story.put(f"quotas/{project}", "quota", counts, is_told=False)
    story.attempt("loadbalancers", "loadbalancer", wish, name="just fits")
    yield story


def batches() -> Iterator[Story]:
    story = Story("quotas and batches")
    project = "limited-batch"
    pool = story.pool(story.load_balancer(project_id=project))
    story.put(f"quotas/{project}", "quota", {"member": 2}, is_told=False)
    for name, ports, words in (
        ("two", (1, 2), ""),
        ("two others", (3, 4), ""),
        ("one more", (5,), "?additive_only=true"),
        ("three", (3, 4, 5), ""),
        ("the same", (3, 4), ""),
    ):
        members = [{**MEMBER, "protocol_port": port} for port in ports]
        story.put(f"pools/{pool}/members{words}", "members", members, name=name)
    story.get(f"pools/{pool}/members?sort=protocol_port")
    yield story


TELLERS = (settings, limits, trees, batches)
