"""Every field of every resource with right values, wrong ones, null and none, out of the field table."""

from collections.abc import Iterator
from typing import Any

from contract.test_fields import BASES, FIELDS, needs, right_values, wrong_values
from differential.story import GROUP, NOTHING, OTHER_SUBNET, QOS_POLICY, SUBNET, Story

PATHS = {
    "loadbalancer": "loadbalancers",
    "listener": "listeners",
    "pool": "pools",
    "member": "pools/<pool>/members",
    "healthmonitor": "healthmonitors",
    "l7policy": "l7policies",
    "rule": "l7policies/<policy>/rules",
}
VIPS = frozenset(("vip_port_id", "vip_network_id", "vip_address", "vip_subnet_id", "additional_vips", "flavor_id"))
"""Right values of these have stories of their own."""

OURS: dict[tuple[str, str], list[Any]] = {
    ("loadbalancer", "vip_sg_ids"): [[], [GROUP]],
    ("loadbalancer", "vip_qos_policy_id"): [QOS_POLICY],
    ("loadbalancer", "provider"): ["amphora"],
    ("loadbalancer", "availability_zone"): [],
    ("member", "subnet_id"): [SUBNET, OTHER_SUBNET],
}


class _Place:
    """A story with one of each that others stand on."""

    def __init__(self, name: str) -> None:
        self.story = Story(name)
        lb = self.story.load_balancer()
        listener = self.story.listener(lb, protocol_port=9)
        pool, policy = self.story.pool(lb), self.story.policy(listener)
        self._tokens = {"<lb>": lb, "<listener>": listener, "<pool>": pool, "<policy>": policy}

    def settled(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self.settled(each) for name, each in value.items()}
            case list():
                return [self.settled(each) for each in value]
            case str():
                for own, token in self._tokens.items():
                    value = value.replace(own, token)
        return value

    def base(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        base = BASES[kind] | ({"vip_subnet_id": SUBNET} if kind == "loadbalancer" else {})
        wish: dict[str, Any] = self.settled({**base, **fields})
        return {name: value for name, value in wish.items() if value is not ...}

    def attempt(self, kind: str, name: str, /, **fields: Any) -> None:
        self.story.attempt(self.settled(PATHS[kind]), kind, self.base(kind, fields), name=name)

    def made(self, kind: str) -> str:
        wish = self.base(kind, {})
        token = self.story.post(self.settled(PATHS[kind]), kind, wish, is_told=False)
        return f"{self.settled(PATHS[kind])}/{token}"


def creations() -> Iterator[Story]:
    for kind, fields in FIELDS.items():
        place = _Place(f"fields of {kind} on creation")
        for field, spec in fields.items():
            for value in _wrong(spec) if spec["create"] else []:
                place.attempt(kind, f"{field} {value!r:.40}", **needs(kind, field) | {field: value})
            place.attempt(kind, f"{field} null", **needs(kind, field) | {field: None})
            if spec.get("required"):
                place.attempt(kind, f"{field} none", **{field: ...})
        yield place.story


def right_creations() -> Iterator[Story]:
    for kind, fields in FIELDS.items():
        place = _Place(f"right fields of {kind} on creation")
        for field, spec in fields.items():
            if not spec["create"] or spec.get("only_in_a_tree") or field in VIPS:
                continue
            for value in OURS.get((kind, field), right_values(kind, field)):
                if "SCTP" in (value, kind):
                    continue
                more = needs(kind, field, value)
                place.attempt(kind, f"{field} {value!r:.40}", **more | {field: value})
        yield place.story


def changes() -> Iterator[Story]:
    for kind, fields in FIELDS.items():
        place = _Place(f"fields of {kind} on change")
        path = place.made(kind)
        for field, spec in fields.items():
            wrong = _wrong(spec) if spec["update"] else [None, NOTHING]
            for value in wrong:
                place.story.put(path, kind, {field: value}, name=f"{field} {value!r:.40}")
        place.story.get(path)
        yield place.story


def _wrong(spec: dict[str, Any]) -> list[Any]:
    """Of values that are wrong in the same way one is enough."""
    found = wrong_values(spec)
    return [each for index, each in enumerate(found) if each not in found[:index]]


TELLERS = (creations, right_creations, changes)
