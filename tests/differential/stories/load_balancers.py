"""Load balancers: their life, VIPs, statuses, deletion."""

from collections.abc import Iterator

from differential.story import (
    GROUP,
    IPV6_SUBNET,
    MEMBER,
    MONITOR,
    NETWORK,
    NOTHING,
    POOL,
    PORT,
    PROJECT,
    QOS_POLICY,
    SUBNET,
    Story,
)


def life() -> Iterator[Story]:
    story = Story("a load balancer's life")
    lb = story.load_balancer(is_told=True, name="web", description="d", tags=["a", "b"])
    story.get(f"loadbalancers/{lb}")
    story.get("loadbalancers")
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"name": "other", "admin_state_up": False, "tags": ["c"]})
    story.get(f"loadbalancers/{lb}")
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"name": None, "description": None, "admin_state_up": None})
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"tags": None}, name="null tags")
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"tags": []})
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"vip_qos_policy_id": QOS_POLICY})
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"vip_qos_policy_id": None})
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"vip_sg_ids": [GROUP]})
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"vip_sg_ids": None})
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"vip_address": "203.0.113.5"})
    for path in ("stats", "status", "statuses"):
        story.get(f"loadbalancers/{lb}/{path}")
    story.get(f"loadbalancers/{lb}/bogus")
    story.get(f"loadbalancers/{lb}?fields=id&fields=name")
    story.get(f"loadbalancers/{lb}?fields=bogus")
    story.get(f"loadbalancers/{lb}?whatever=x")
    story.ask("PUT", f"loadbalancers/{lb}/failover")
    story.get(f"loadbalancers/{lb}")
    story.delete(f"loadbalancers/{lb}")
    story.get(f"loadbalancers/{lb}")
    story.delete(f"loadbalancers/{lb}")
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"name": "x"})
    story.get("loadbalancers")
    yield story


def vips() -> Iterator[Story]:
    story = Story("where a VIP comes from")

    def attempt(name: str, /, **fields: object) -> None:
        story.attempt("loadbalancers", "loadbalancer", {"project_id": PROJECT, **fields}, name=name)

    attempt("nothing")
    attempt("subnet", vip_subnet_id=SUBNET)
    attempt("subnet and address", vip_subnet_id=SUBNET, vip_address="203.0.113.5")
    attempt("subnet and IPv6 address", vip_subnet_id=IPV6_SUBNET, vip_address="2001:DB8::0001")
    attempt("address alone", vip_address="203.0.113.5")
    attempt("bad address", vip_subnet_id=SUBNET, vip_address="203.0.113.256")
    attempt("empty address", vip_subnet_id=SUBNET, vip_address="")
    attempt("null address", vip_subnet_id=SUBNET, vip_address=None)
    attempt("network", vip_network_id=NETWORK)
    attempt("network and subnet", vip_network_id=_of(NETWORK, 11), vip_subnet_id=_of(SUBNET, 11))
    attempt("network and address", vip_network_id=_of(NETWORK, 12), vip_address="203.0.113.6")
    attempt("port", vip_port_id=PORT)
    attempt("quality of service", vip_subnet_id=SUBNET, vip_qos_policy_id=QOS_POLICY)
    attempt("security groups", vip_subnet_id=SUBNET, vip_sg_ids=[GROUP])
    attempt("no security groups", vip_subnet_id=SUBNET, vip_sg_ids=[])
    attempt("null security groups", vip_subnet_id=SUBNET, vip_sg_ids=None)
    attempt("the same security group twice", vip_subnet_id=SUBNET, vip_sg_ids=[GROUP, GROUP])
    attempt("a bad security group", vip_subnet_id=SUBNET, vip_sg_ids=["x"])
    yield story


def more_vips() -> Iterator[Story]:
    story = Story("additional VIPs")

    one, other = _of(SUBNET, 13), _of(SUBNET, 14)
    # Upstream's no-op network knows a subnet's network only when the network was named before it.
    here = {"vip_network_id": _of(NETWORK, 13), "vip_subnet_id": one}

    def attempt(name: str, /, *additional: object) -> None:
        wish = {"project_id": PROJECT, "additional_vips": list(additional), **here}
        story.attempt("loadbalancers", "loadbalancer", wish, name=name)

    attempt("one", {"subnet_id": other})
    attempt("one with an address", {"subnet_id": other, "ip_address": "203.0.113.9"})
    attempt("the same subnet", {"subnet_id": one})
    attempt("the same subnet twice", {"subnet_id": other}, {"subnet_id": other})
    attempt("no subnet", {"ip_address": "203.0.113.9"})
    attempt("a bad subnet", {"subnet_id": "x"})
    attempt("a bad address", {"subnet_id": other, "ip_address": "x"})
    attempt("something unknown", {"subnet_id": other, "colour": "red"})
    attempt("not an object", "x")
    lb = story.load_balancer(**here, additional_vips=[{"subnet_id": other, "ip_address": "203.0.113.9"}])
    story.get(f"loadbalancers/{lb}")
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"additional_vips": []})
    yield story


def _of(id_: str, number: int) -> str:
    """Give the id of one more such thing: both sides remember which subnet is in which network."""
    return f"{id_[:-2]}{number}"


def choices() -> Iterator[Story]:
    story = Story("provider, flavor, zone, project")

    def attempt(name: str, /, **fields: object) -> None:
        wish = {"vip_subnet_id": SUBNET, **fields}
        story.attempt("loadbalancers", "loadbalancer", wish, name=name)

    attempt("no project")
    attempt("project", project_id="p2")
    attempt("tenant", tenant_id="p2")
    attempt("both", project_id="p2", tenant_id="p3")
    attempt("null project", project_id=None)
    attempt("long project", project_id="x" * 37)
    attempt("provider amphora", provider="amphora", project_id=PROJECT)
    attempt("unknown provider", provider="bogus")
    attempt("long provider", provider="x" * 65)
    attempt("unknown flavor", flavor_id=NOTHING)
    attempt("null flavor", flavor_id=None)
    attempt("unknown zone", availability_zone="nowhere")
    attempt("null zone", availability_zone=None)
    attempt("tags", tags=["a", "b"], project_id=PROJECT)
    attempt("the same tag twice", tags=["a", "a"], project_id=PROJECT)
    attempt("null tags", tags=None, project_id=PROJECT)
    attempt("long tag", tags=["x" * 256])
    attempt("tag of a wrong type", tags=[5])
    attempt("down", admin_state_up=False, project_id=PROJECT)
    attempt("null names", name=None, description=None, project_id=PROJECT)
    yield story


def deletion() -> Iterator[Story]:
    story = Story("deletion of a load balancer with children")
    lb = story.load_balancer()
    listener = story.listener(lb)
    pool = story.pool(lb, loadbalancer_id=None, listener_id=listener)
    member = story.member(pool)
    monitor = story.monitor(pool)
    policy = story.policy(listener)
    story.rule(policy)
    for words in ("", "?cascade=false", "?cascade=maybe", "?cascade="):
        story.delete(f"loadbalancers/{lb}{words}")
    story.delete(f"loadbalancers/{lb}?cascade=True")
    for path in (
        f"loadbalancers/{lb}",
        f"listeners/{listener}",
        f"pools/{pool}",
        f"pools/{pool}/members/{member}",
        f"healthmonitors/{monitor}",
        f"l7policies/{policy}",
    ):
        story.get(path)
    yield story


def statuses() -> Iterator[Story]:
    story = Story("the status tree")
    lb = story.load_balancer(name="web")
    listener = story.listener(lb, name="http")
    pool = story.pool(lb, loadbalancer_id=None, listener_id=listener, name="default")
    story.member(pool, name="one")
    story.monitor(pool, name="check")
    other = story.pool(lb, name="by policy")
    story.pool(lb, name="of nobody")
    story.get(f"loadbalancers/{lb}/status", name="without policy")
    policy = story.policy(listener, action="REDIRECT_TO_POOL", redirect_pool_id=other)
    story.get(f"loadbalancers/{lb}/status", name="policy without rule")
    story.get(f"pools/{other}", name="pool of a policy without rule")
    story.rule(policy)
    story.get(f"loadbalancers/{lb}/status", name="policy with rule")
    story.get(f"pools/{other}", name="pool of a policy with rule")
    story.put(f"l7policies/{policy}", "l7policy", {"admin_state_up": False}, is_told=False)
    story.get(f"loadbalancers/{lb}/status", name="policy that is down")
    story.get(f"pools/{other}", name="pool of a policy that is down")
    story.get(f"loadbalancers/{lb}/stats")
    story.get(f"listeners/{listener}/stats")
    yield story


def whole() -> Iterator[Story]:
    story = Story("everything, piece by piece")
    lb = story.load_balancer(is_told=True)
    listener = story.listener(lb, is_told=True)
    pool = story.post("pools", "pool", {"listener_id": listener, **POOL})
    member = story.post(f"pools/{pool}/members", "member", MEMBER)
    monitor = story.post("healthmonitors", "healthmonitor", {"pool_id": pool, **MONITOR})
    policy = story.policy(listener, is_told=True)
    rule = story.rule(policy, is_told=True)
    items = (
        f"loadbalancers/{lb}",
        f"listeners/{listener}",
        f"pools/{pool}",
        f"pools/{pool}/members/{member}",
        f"healthmonitors/{monitor}",
        f"l7policies/{policy}",
        f"l7policies/{policy}/rules/{rule}",
    )
    for path in items:
        story.get(path)
        story.get(path.rpartition("/")[0])
    for path in reversed(items):
        story.delete(path)
        story.get(path, name=f"gone {path}")
    yield story


TELLERS = (life, vips, more_vips, choices, deletion, statuses, whole)
