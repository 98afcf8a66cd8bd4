"""Every field of every resource with wrong values, null and none, out of the field table."""

from collections.abc import Iterator
from typing import Any

from contract.field_values import BASES, FIELDS, NEW_NAME, needs, wrong_values
from differential.story import NOTHING, SUBNET, Story

PATHS = {
    "loadbalancer": "loadbalancers",
    "listener": "listeners",
    "pool": "pools",
    "member": "pools/<pool>/members",
    "healthmonitor": "healthmonitors",
    "l7policy": "l7policies",
    "rule": "l7policies/<policy>/rules",
    "flavorprofile": "flavorprofiles",
    "flavor": "flavors",
    "availability_zone_profile": "availabilityzoneprofiles",
    "availability_zone": "availabilityzones",
}
PROFILES = ("flavorprofile", "availability_zone_profile")
OF_THE_SITE = ("flavor", "availability_zone", *PROFILES)
IDS = {"availability_zone": "name"}
"""By what one is known in its path, where that is not its id."""


class _Place:
    """A story with one of each that others stand on."""

    def __init__(self, kind: str, when: str) -> None:
        self.story = Story(f"fields of {kind} {when}")
        self._tokens = {NEW_NAME: "a-new-one"}
        if kind in OF_THE_SITE:
            self._furnish_site()
        else:
            self._furnish()

    def _furnish_site(self) -> None:
        for kind in PROFILES:
            self._tokens[f"<{kind}>"] = self.story.post(PATHS[kind], kind, BASES[kind], is_told=False)

    def _furnish(self) -> None:
        lb = self.story.load_balancer()
        listener = self.story.listener(lb, protocol_port=9)
        pool, policy = self.story.pool(lb), self.story.policy(listener)
        self._tokens |= {"<lb>": lb, "<listener>": listener, "<pool>": pool, "<policy>": policy}

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
        self.story.attempt(
            self.settled(PATHS[kind]), kind, self.base(kind, fields), name=name, known_by=IDS.get(kind, "id")
        )

    def made(self, kind: str) -> str:
        wish, path = self.base(kind, {}), self.settled(PATHS[kind])
        token = self.story.post(path, kind, wish, is_told=False, known_by=IDS.get(kind, "id"))
        return f"{path}/{token}"


def creations() -> Iterator[Story]:
    for kind in PATHS:
        place = _Place(kind, "on creation")
        for field, spec in FIELDS[kind].items():
            for value in _wrong(spec) if spec["create"] else []:
                place.attempt(kind, f"{field} {value!r:.40}", **needs(kind, field) | {field: value})
            place.attempt(kind, f"{field} null", **needs(kind, field) | {field: None})
            if spec.get("required"):
                place.attempt(kind, f"{field} none", **{field: ...})
        yield place.story


def changes() -> Iterator[Story]:
    for kind in PATHS:
        place = _Place(kind, "on change")
        path = place.made(kind)
        for field, spec in FIELDS[kind].items():
            wrong = _wrong(spec) if spec["update"] else [None, NOTHING]
            for value in wrong:
                place.story.put(path, kind, {field: value}, name=f"{field} {value!r:.40}")
        place.story.get(path)
        yield place.story


def quotas() -> Iterator[Story]:
    story, path = Story("fields of quota on change"), "quotas/limited"
    for field, spec in FIELDS["quota"].items():
        for value in [*_wrong(spec), None, NOTHING] if spec["update"] else [None, NOTHING]:
            story.put(path, "quota", {field: value}, name=f"{field} {value!r:.40}")
    story.get(path)
    yield story


def _wrong(spec: dict[str, Any]) -> list[Any]:
    """Of values that are wrong in the same way one is enough."""
    found = wrong_values(spec)
    return [each for index, each in enumerate(found) if each not in found[:index]]


TELLERS = (creations, changes, quotas)
