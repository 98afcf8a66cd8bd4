"""Somebody who makes, changes and deletes load balancers at random, and knows at any time what all of them must be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from system.outages.drills import Site

FLAVORS: tuple[tuple[dict[str, str | int], int], ...] = (
    ({"loadbalancer_topology": "SINGLE"}, 1),
    ({"loadbalancer_topology": "SINGLE", "spare_pool_size": 1}, 1),
    ({"loadbalancer_topology": "ACTIVE_STANDBY"}, 2),
    ({"loadbalancer_topology": "ACTIVE_STANDBY", "spare_pool_size": 1}, 2),
    ({"loadbalancer_topology": "ACTIVE_STANDBY", "load_balancers_per_appliance": 3}, 2),
)
"""With how many amphorae each has."""

FIRST_PORT, PORTS_MOST = 80, 4
NETWORKS = {"one": "tenant-a", "two": "tenant-b"}


@dataclass
class Asked:
    """A load balancer as it was asked for last: the ports that it listens on, and the back ends behind all of them."""

    id: str
    vip: str
    size: int
    pool_id: str
    listeners: dict[int, str]
    """Port -> id."""
    members: set[str] = field(default_factory=set)


class Customer:
    """Does one thing after the other; `asked` is what is wished for."""

    def __init__(self, site: Site, random: Random, *, most: int) -> None:
        self.asked: dict[str, Asked] = {}
        self.done: dict[str, int] = {}
        self._site, self._tenant, self._random, self._most = site, site.tenant, random, most
        self._flavors = [
            (site.flavor(**data), size, int(data.get("spare_pool_size", 0)))
            for data, size in random.sample(FLAVORS, len(FLAVORS))
        ]
        self._unused = list(self._flavors)
        self._pools: dict[str, int] = {}

    @property
    def spares(self) -> int:
        """How many shall wait: a pool is filled from the first load balancer of its flavor on."""
        return sum(self._pools.values())

    def acts(self) -> None:
        """Do one thing or another."""
        fewest, all_there = len(self.asked) < 2, len(self.asked) >= self._most
        ways: list[tuple[Callable[[], None], int]] = [(self._create, 0 if all_there else 8 if fewest else 3)]
        if self.asked:
            ways += [(self._members, 6), (self._listen, 3), (self._limit, 3), (self._fail_over, 2), (self._delete, 2)]
            ways += [(self._fail_over_amphora, 1), (self._remove_amphora, 1)]
        (act,) = self._random.choices([way for way, _ in ways], [weight for _, weight in ways])
        act()
        name = act.__name__.strip("_")
        self.done[name] = self.done.get(name, 0) + 1

    def deletes_all(self) -> None:
        for lb_id in list(self.asked):
            self._gone(lb_id)

    def _create(self) -> None:
        flavor_id, size, spares = self._unused.pop() if self._unused else self._random.choice(self._flavors)
        self._pools[flavor_id] = spares
        names = self._some_members()
        pool = {
            "name": "pool",
            "protocol": "HTTP",
            "lb_algorithm": "ROUND_ROBIN",
            "members": [self._member(name) for name in names],
        }
        body = {
            "name": "soak",
            "vip_subnet_id": self._site.subnets["public"],
            "flavor_id": flavor_id,
            "listeners": [{"protocol": "HTTP", "protocol_port": FIRST_PORT, "default_pool": pool}],
        }
        lb = self._tenant.request("POST", "/loadbalancers", loadbalancer=body)["loadbalancer"]
        self.asked[lb["id"]] = Asked(
            id=lb["id"],
            vip=lb["vip_address"],
            size=size,
            pool_id=lb["pools"][0]["id"],
            listeners={FIRST_PORT: lb["listeners"][0]["id"]},
            members=names,
        )

    def _members(self) -> None:
        asked, names = self._one(), self._some_members()
        wanted = [self._member(name) for name in sorted(names)]
        self._tenant.request("PUT", f"/pools/{asked.pool_id}/members", expect=202, members=wanted)
        asked.members = names

    def _listen(self) -> None:
        """Open a port more, or close one."""
        asked = self._one()
        port = FIRST_PORT + self._random.randrange(1, PORTS_MOST)
        if port in asked.listeners:
            self._unless_gone("DELETE", f"/listeners/{asked.listeners[port]}")
            del asked.listeners[port]
            return
        body = {"loadbalancer_id": asked.id, "protocol": "HTTP", "protocol_port": port}
        made = self._tenant.request("POST", "/listeners", listener=body | {"default_pool_id": asked.pool_id})
        asked.listeners[port] = made["listener"]["id"]

    def _limit(self) -> None:
        asked = self._one()
        limit = {"connection_limit": self._random.randrange(100, 1000)}
        self._tenant.request("PUT", f"/listeners/{asked.listeners[FIRST_PORT]}", listener=limit)

    def _fail_over(self) -> None:
        self._tenant.request("PUT", f"/loadbalancers/{self._one().id}/failover", expect=202)

    def _fail_over_amphora(self) -> None:
        self._to_an_amphora("PUT", "/failover")

    def _remove_amphora(self) -> None:
        self._to_an_amphora("DELETE", "")

    def _to_an_amphora(self, method: str, what: str) -> None:
        """It may be gone by the time that this arrives."""
        listed = self._tenant.request("GET", f"{self._tenant.url}/v2/octavia/amphorae")["amphorae"]
        if listed:
            chosen = self._random.choice(listed)["id"]
            self._unless_gone(method, f"{self._tenant.url}/v2/octavia/amphorae/{chosen}{what}")

    def _delete(self) -> None:
        self._gone(self._one().id)

    def _gone(self, lb_id: str) -> None:
        self._tenant.delete(lb_id)
        del self.asked[lb_id]

    def _unless_gone(self, method: str, path: str) -> None:
        """What is repeated after a lost answer may find it gone."""
        try:
            self._tenant.request(method, path)
        except AssertionError as exc:
            if "could not be found" not in str(exc):
                raise

    def _one(self) -> Asked:
        return self._random.choice(list(self.asked.values()))

    def _some_members(self) -> set[str]:
        return set(self._random.choice([("one",), ("two",), ("one", "two")]))

    def _member(self, name: str) -> dict[str, Any]:
        subnet_id = self._site.subnets[NETWORKS[name]]
        return {"address": self._site.backends[name], "protocol_port": 80, "subnet_id": subnet_id}
