"""Load balancers in the midst of a change: what is shown, and what is taken."""

from collections.abc import Iterator
from typing import Any

from differential.story import MEMBER, MONITOR, NOTHING, POOL, RULE, Story


class _Place:
    """A whole load balancer that is at rest, in a story where nothing gets done by itself any more."""

    def __init__(self, name: str) -> None:
        self.story = Story(name, busy=True)
        self._limit = 0
        self.lb = self._rest(self.story.load_balancer())
        self.bystander = self._rest(self.story.listener(self.lb, protocol="TCP", protocol_port=9))
        self.listener = self._rest(self.story.listener(self.lb))
        self.pool = self._rest(self.story.pool(self.lb, loadbalancer_id=None, listener_id=self.listener))
        self.member = self._rest(self.story.member(self.pool))
        self.monitor = self._rest(self.story.monitor(self.pool))
        self.policy = self._rest(self.story.policy(self.listener))
        self.rule = self._rest(self.story.rule(self.policy))

    def _rest(self, token: str) -> str:
        self.story.settle()
        return token

    def make_busy(self) -> None:
        """Change something that machines have to learn."""
        self._limit += 1
        self.story.put(f"listeners/{self.bystander}", "listener", {"connection_limit": self._limit}, is_told=False)

    def show_all(self, when: str) -> None:
        for path in (
            f"loadbalancers/{self.lb}",
            f"listeners/{self.listener}",
            f"pools/{self.pool}",
            f"pools/{self.pool}/members/{self.member}",
            f"healthmonitors/{self.monitor}",
            f"l7policies/{self.policy}",
            f"l7policies/{self.policy}/rules/{self.rule}",
        ):
            self.story.get(path, name=f"{when}: {path.rpartition('/')[0]}")


def shown() -> Iterator[Story]:
    place = _Place("what is shown in the midst of changes")
    story = place.story
    changes: dict[str, tuple[str, str, dict[str, Any]]] = {
        "load balancer": (f"loadbalancers/{place.lb}", "loadbalancer", {"admin_state_up": False}),
        "listener": (f"listeners/{place.listener}", "listener", {"connection_limit": 5}),
        "pool": (f"pools/{place.pool}", "pool", {"lb_algorithm": "SOURCE_IP"}),
        "member": (f"pools/{place.pool}/members/{place.member}", "member", {"weight": 5}),
        "monitor": (f"healthmonitors/{place.monitor}", "healthmonitor", {"delay": 9}),
        "policy": (f"l7policies/{place.policy}", "l7policy", {"redirect_url": "http://a.example/"}),
    }
    for name, (path, key, change) in changes.items():
        story.put(path, key, change, name=f"change of {name}")
        place.show_all(f"change of {name}")
        story.settle()
    story.put(f"l7policies/{place.policy}/rules/{place.rule}", "rule", {"value": "/c"}, name="change of rule")
    place.show_all("change of rule")
    story.settle()
    place.show_all("at rest")
    for name, path in {
        "rule": f"l7policies/{place.policy}/rules/{place.rule}",
        "monitor": f"healthmonitors/{place.monitor}",
        "member": f"pools/{place.pool}/members/{place.member}",
        "policy": f"l7policies/{place.policy}",
        "pool": f"pools/{place.pool}",
        "listener": f"listeners/{place.listener}",
        "load balancer": f"loadbalancers/{place.lb}",
    }.items():
        story.delete(path, name=f"deletion of {name}")
        place.show_all(f"deletion of {name}")
        story.settle()
    yield story


def born() -> Iterator[Story]:
    place = _Place("what is shown in the midst of creations")
    story = place.story
    for name, path, key, wish in (
        ("listener", "listeners", "listener", {"loadbalancer_id": place.lb, "protocol": "TCP", "protocol_port": 81}),
        ("pool", "pools", "pool", {"loadbalancer_id": place.lb, **POOL}),
        ("member", f"pools/{place.pool}/members", "member", {**MEMBER, "protocol_port": 81}),
        ("policy", "l7policies", "l7policy", {"listener_id": place.listener, "action": "REJECT"}),
        ("rule", f"l7policies/{place.policy}/rules", "rule", {**RULE, "value": "/n"}),
    ):
        story.post(path, key, wish, name=f"creation of {name}")
        place.show_all(f"creation of {name}")
        story.settle()
    batch = [{**MEMBER, "weight": 7}, {**MEMBER, "protocol_port": 99}]
    story.put(f"pools/{place.pool}/members", "members", batch, name="a batch")
    place.show_all("a batch")
    story.get(f"pools/{place.pool}/members?sort=protocol_port", name="members in the midst of a batch")
    story.settle()
    story.ask("PUT", f"loadbalancers/{place.lb}/failover", name="failover")
    place.show_all("failover")
    story.settle()
    yield story


def refused() -> Iterator[Story]:
    place = _Place("what is taken in the midst of a change")
    story = place.story

    def change() -> None:
        story.settle()
        place.make_busy()

    items = {
        "load balancer": (f"loadbalancers/{place.lb}", "loadbalancer"),
        "listener": (f"listeners/{place.listener}", "listener"),
        "pool": (f"pools/{place.pool}", "pool"),
        "member": (f"pools/{place.pool}/members/{place.member}", "member"),
        "monitor": (f"healthmonitors/{place.monitor}", "healthmonitor"),
        "policy": (f"l7policies/{place.policy}", "l7policy"),
    }
    for name, (path, key) in items.items():
        change()
        story.put(path, key, {"admin_state_up": False}, name=f"change of {name}")
    change()
    story.put(f"listeners/{place.listener}", "listener", {"name": "other"}, name="another name of listener")
    change()
    story.put(f"l7policies/{place.policy}/rules/{place.rule}", "rule", {"value": "/c"}, name="change of rule")
    for name, path, key, wish in (
        ("listener", "listeners", "listener", {"loadbalancer_id": place.lb, "protocol": "TCP", "protocol_port": 81}),
        ("pool", "pools", "pool", {"loadbalancer_id": place.lb, **POOL}),
        ("pool of listener", "pools", "pool", {"listener_id": place.listener, **POOL}),
        ("member", f"pools/{place.pool}/members", "member", {**MEMBER, "protocol_port": 81}),
        ("monitor", "healthmonitors", "healthmonitor", {"pool_id": place.pool, **MONITOR}),
        ("policy", "l7policies", "l7policy", {"listener_id": place.listener, "action": "REJECT"}),
        ("rule", f"l7policies/{place.policy}/rules", "rule", {**RULE, "value": "/n"}),
    ):
        change()
        story.post(path, key, wish, name=f"creation of {name}")
    change()
    story.put(f"pools/{place.pool}/members", "members", [{**MEMBER, "weight": 9}], name="a batch")
    change()
    story.ask("PUT", f"loadbalancers/{place.lb}/failover", name="failover")
    change()
    for name, path, key, wish in (
        (
            "listener of a wrong protocol",
            "listeners",
            "listener",
            {"loadbalancer_id": place.lb, "protocol": "X", "protocol_port": 82},
        ),
        (
            "listener at a port that is taken",
            "listeners",
            "listener",
            {"loadbalancer_id": place.lb, "protocol": "HTTP", "protocol_port": 80},
        ),
        (
            "listener with an unknown pool",
            "listeners",
            "listener",
            {"loadbalancer_id": place.lb, "protocol": "HTTP", "protocol_port": 82, "default_pool_id": NOTHING},
        ),
        (
            "pool with wrong persistence",
            "pools",
            "pool",
            {"loadbalancer_id": place.lb, **POOL, "session_persistence": {"type": "APP_COOKIE"}},
        ),
        (
            "reserved member",
            f"pools/{place.pool}/members",
            "member",
            {"address": "169.254.169.254", "protocol_port": 80},
        ),
    ):
        story.post(path, key, wish, name=f"{name}, busy")
    story.put(f"listeners/{place.listener}", "listener", {"tls_versions": []}, name="wrong change of listener, busy")
    story.put(f"l7policies/{place.policy}", "l7policy", {}, name="empty change of policy, busy")
    yield story


def deletions() -> Iterator[Story]:
    place = _Place("deletions in the midst of a change")
    story = place.story
    for name, path in {
        "rule": f"l7policies/{place.policy}/rules/{place.rule}",
        "policy": f"l7policies/{place.policy}",
        "monitor": f"healthmonitors/{place.monitor}",
        "member": f"pools/{place.pool}/members/{place.member}",
        "pool": f"pools/{place.pool}",
        "listener": f"listeners/{place.listener}",
        "load balancer": f"loadbalancers/{place.lb}?cascade=true",
    }.items():
        story.settle()
        place.make_busy()
        story.delete(path, name=f"deletion of {name}")
    yield story


def leaving() -> Iterator[Story]:
    place = _Place("a load balancer that is being deleted")
    story = place.story
    story.delete(f"loadbalancers/{place.lb}?cascade=true")
    place.show_all("being deleted")
    story.get("loadbalancers?fields=provisioning_status", name="list while being deleted")
    story.get(f"loadbalancers/{place.lb}/status", name="status tree while being deleted")
    story.delete(f"loadbalancers/{place.lb}?cascade=true", name="deletion again")
    story.put(f"loadbalancers/{place.lb}", "loadbalancer", {"name": "x"}, name="change")
    story.put(f"listeners/{place.listener}", "listener", {"name": "x"}, name="change of its listener")
    story.ask("POST", "pools", {"pool": {"loadbalancer_id": place.lb, **POOL}}, name="a new pool")
    story.settle()
    place.show_all("deleted")
    yield story


TELLERS = (shown, born, refused, deletions, leaving)
