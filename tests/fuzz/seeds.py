"""Something of every kind in a world, and right bodies to begin from: pure chance seldom gets past the first check."""

import copy
from collections.abc import Mapping
from typing import Any

from builders import PUBLIC
from contract.memory_world import MemoryWorld

Body = dict[str, Any]

POOL: Body = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MEMBER: Body = {"address": "10.1.0.10", "protocol_port": 80}
MONITOR: Body = {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 3}
RULE: Body = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}
POLICY: Body = {"action": "REDIRECT_TO_URL", "redirect_url": "http://a.example", "rules": [RULE]}
LISTENER: Body = {"protocol": "HTTP", "protocol_port": 80}
TREE: Body = {
    "vip_subnet_id": PUBLIC,
    "pools": [{"name": "p", **POOL, "members": [MEMBER], "healthmonitor": MONITOR}, {"name": "free", **POOL}],
    "listeners": [
        {**LISTENER, "default_pool": {"name": "p"}, "l7policies": [POLICY]},
        {"protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "ref"},
    ],
}
RIGHT: Mapping[str, Body] = {
    "loadbalancer": TREE,
    "listener": {**LISTENER, "protocol_port": 81, "loadbalancer_id": "<loadbalancers>"},
    "pool": {**POOL, "loadbalancer_id": "<loadbalancers>"},
    "member": {**MEMBER, "address": "10.1.0.11"},
    "healthmonitor": {**MONITOR, "pool_id": "<free>"},
    "l7policy": {"action": "REJECT", "listener_id": "<listeners>"},
    "rule": RULE,
    "flavor": {"name": "f", "flavor_profile_id": "<flavorprofiles>"},
    "flavorprofile": {"name": "p", "provider_name": "actium", "flavor_data": "{}"},
    "availability_zone": {"name": "z", "availability_zone_profile_id": "<availabilityzoneprofiles>"},
    "availability_zone_profile": {"name": "p", "provider_name": "actium", "availability_zone_data": "{}"},
}
"""By wrapping key, what a POST may say; `<kind>` is for the id of something that is there."""

UNIQUE = frozenset(("flavor", "availability_zone"))
"""Kinds whose names are."""

KIND_OF_FIELD: Mapping[str, str] = {
    "loadbalancer_id": "loadbalancers",
    "listener_id": "listeners",
    "pool_id": "free",
    "default_pool_id": "pools",
    "redirect_pool_id": "pools",
    "flavor_id": "flavors",
    "flavor_profile_id": "flavorprofiles",
    "availability_zone": "availabilityzones",
    "availability_zone_profile_id": "availabilityzoneprofiles",
}


class Seeds:
    """Ids of what is there, by kind."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world, self._names = world, 0
        self.ids: dict[str, str] = {}
        self.sow()

    def sow(self) -> None:
        """Make everything, anew where it is gone."""
        tree = self._made("loadbalancers", "loadbalancer")
        (listener,) = [each for each in tree["listeners"] if each["l7policies"]]
        pools = {pool["name"]: pool for pool in tree["pools"]}
        self.ids |= {
            "loadbalancers": tree["id"],
            "listeners": listener["id"],
            "pools": pools["p"]["id"],
            "free": pools["free"]["id"],
            "members": pools["p"]["members"][0]["id"],
            "healthmonitors": pools["p"]["healthmonitor"]["id"],
            "l7policies": listener["l7policies"][0]["id"],
            "rules": listener["l7policies"][0]["rules"][0]["id"],
            "providers": "actium",
            "quotas": "project",
        }
        for kind, key in (
            ("flavorprofiles", "flavorprofile"),
            ("flavors", "flavor"),
            ("availabilityzoneprofiles", "availability_zone_profile"),
        ):
            self.ids[kind] = self._made(kind, key)["id"]
        self.ids["availabilityzones"] = self._made("availabilityzones", "availability_zone")["name"]
        assert self._world.request("PUT", "/quotas/project", json={"quota": {"pool": 500}}).status_code == 202

    def _made(self, kind: str, key: str) -> Body:
        response = self._world.request("POST", f"/{kind}", json={key: self.right(key)})
        assert response.status_code == 201, response.text
        made: Body = response.json()[key]
        return made

    def right(self, key: str) -> Body:
        """Give a right body for a POST."""
        body = copy.deepcopy(RIGHT[key])
        if key in UNIQUE:
            self._names += 1
            body["name"] = f"{key}-{self._names}"
        return {name: self._filled(value) for name, value in body.items()}

    def _filled(self, value: object) -> object:
        is_place = isinstance(value, str) and value.startswith("<")
        return self.ids[value[1:-1]] if is_place and isinstance(value, str) else value

    def plant(self, value: Any) -> None:
        """Put ids of what is there into every reference of a body."""
        match value:
            case dict():
                for name, inner in value.items():
                    if name in KIND_OF_FIELD and inner is not None:
                        value[name] = self.ids[KIND_OF_FIELD[name]]
                    else:
                        self.plant(inner)
            case list():
                for inner in value:
                    self.plant(inner)
