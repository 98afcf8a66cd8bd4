"""What holds for every resource: discovery, paths, content types, broken bodies, spellings of values."""

from collections.abc import Iterator

from differential.story import LBAAS, NOTHING, POOL, SUBNET, Story

COLLECTIONS = (
    "loadbalancers",
    "listeners",
    "pools",
    "healthmonitors",
    "l7policies",
    "quotas",
    "providers",
    "flavors",
    "flavorprofiles",
    "availabilityzones",
    "availabilityzoneprofiles",
)


def discovery() -> Iterator[Story]:
    story = Story("discovery")
    for path in (
        "/",
        "/v2",
        "/v2/",
        "/v2.0",
        "/v2.0/",
        "/v2/lbaas",
        "/v2/octavia",
        "/v1",
        "/v2.0/bogus",
        "/healthcheck",
    ):
        story.get(path)
    yield story


def aliases() -> Iterator[Story]:
    story = Story("aliases of paths")
    for prefix in ("/v2/lbaas", "/v2.0", "/v2", LBAAS):
        for collection in COLLECTIONS:
            story.get(f"{prefix}/{collection}")
    for path in (
        "/v2/octavia/amphorae",
        "/v2.0/octavia/amphorae",
        "/v2/lbaas/amphorae",
        "/octavia/amphorae",
        "/v2/octavia",
    ):
        story.get(path)
    story.get("loadbalancers/")
    story.get("loadbalancers.json")
    story.get(f"loadbalancers/{NOTHING}/")
    yield story


def methods() -> Iterator[Story]:
    story = Story("methods that no resource has")
    for method in ("HEAD", "PATCH", "OPTIONS"):
        story.ask(method, "loadbalancers")
        story.ask(method, f"loadbalancers/{NOTHING}")
    story.ask("PUT", "loadbalancers", {"loadbalancer": {}})
    story.delete("loadbalancers")
    story.ask("POST", f"loadbalancers/{NOTHING}", {"loadbalancer": {}})
    story.ask("POST", "providers", {"provider": {}})
    story.get("providers/amphora")
    yield story


def unknown() -> Iterator[Story]:
    story = Story("what is not there")
    for kind in COLLECTIONS[:5]:
        for name in (NOTHING, "not-a-uuid"):
            story.get(f"{kind}/{name}")
            story.delete(f"{kind}/{name}")
    keys = {"loadbalancers": "loadbalancer", "listeners": "listener", "pools": "pool"}
    keys |= {"healthmonitors": "healthmonitor", "l7policies": "l7policy"}
    for kind, key in keys.items():
        story.put(f"{kind}/{NOTHING}", key, {"name": "x"})
    for path in ("stats", "status", "statuses", "bogus"):
        story.get(f"loadbalancers/{NOTHING}/{path}")
    story.ask("PUT", f"loadbalancers/{NOTHING}/failover")
    story.get(f"listeners/{NOTHING}/stats")
    for path in (f"pools/{NOTHING}/members", f"l7policies/{NOTHING}/rules"):
        story.get(path)
        story.get(f"{path}/{NOTHING}")
        story.delete(f"{path}/{NOTHING}")
    story.put(f"pools/{NOTHING}/members", "members", [])
    story.ask("POST", f"pools/{NOTHING}/members", {"member": {"address": "192.0.2.1", "protocol_port": 80}})
    story.put(f"pools/{NOTHING}/members/{NOTHING}", "member", {"weight": 1})
    yield story


def contents() -> Iterator[Story]:
    story = Story("content types and broken bodies")
    lb = story.load_balancer()
    story.get("loadbalancers", headers={"accept": "text/html"})
    story.get("loadbalancers", headers={"accept": "*/*"})
    story.get("loadbalancers", headers={"accept": "text/html, application/json;q=0.5"})
    body = b'{"loadbalancer": {}}'
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        story.ask("POST", "loadbalancers", content=body, headers={"content-type": kind}, name=f"POST {kind}")
    broken = (b"", b"{", b"null", b"[]", b"5", b'"x"', b"{}", b'{"x": {}}', b'{"loadbalancer": null}', b"\xff")
    broken += (b'{"loadbalancer": []}', b'{"loadbalancer": "x"}', b'{"loadbalancer": {}, "x": 1}')
    for content in broken:
        story.ask("POST", "loadbalancers", content=content, name=f"POST {content!r}")
        story.ask("PUT", f"loadbalancers/{lb}", content=content, name=f"PUT {content!r}")
    yield story


def spellings() -> Iterator[Story]:
    story = Story("spellings of values")
    lb = story.load_balancer()
    for value in (True, False, 1, 0, 2, 0.5, "true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"):
        story.put(f"loadbalancers/{lb}", "loadbalancer", {"admin_state_up": value}, name=f"boolean {value!r}")
    for value in ("TRUE", "", "maybe", [], {}):
        story.put(f"loadbalancers/{lb}", "loadbalancer", {"admin_state_up": value}, name=f"boolean {value!r}")
    listener = story.listener(lb)
    for value in (80, "8081", 80.5, True, "80.5", "abc", "", [], {}, "-1", " 5 ", "5_0", 1e3, "1e3", "0x10"):
        story.put(f"listeners/{listener}", "listener", {"connection_limit": value}, name=f"integer {value!r}")
    for value in ("", "a", "ä", "a\nb", "x" * 255, "x" * 256, "ä" * 255, 5, True, [], {}, None):
        story.put(f"loadbalancers/{lb}", "loadbalancer", {"name": value}, name=f"string {value!r:.20}")
    for value in (NOTHING.replace("-", ""), NOTHING.upper(), "{" + NOTHING + "}", f"urn:uuid:{NOTHING}", "", "x", 5):
        story.put(f"loadbalancers/{lb}", "loadbalancer", {"vip_qos_policy_id": value}, name=f"uuid {value!r}")
    yield story


def fields_of_no_resource() -> Iterator[Story]:
    story = Story("unknown fields")
    lb = story.load_balancer()
    listener, pool = story.listener(lb), story.pool(lb)
    policy = story.policy(listener)
    story.attempt("loadbalancers", "loadbalancer", {"vip_subnet_id": SUBNET, "colour": "red"})
    story.attempt(
        "listeners", "listener", {"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 9, "colour": "red"}
    )
    story.attempt("pools", "pool", {"loadbalancer_id": lb, **POOL, "colour": "red"})
    for path, key in (
        (f"loadbalancers/{lb}", "loadbalancer"),
        (f"listeners/{listener}", "listener"),
        (f"pools/{pool}", "pool"),
        (f"l7policies/{policy}", "l7policy"),
    ):
        story.put(path, key, {"colour": "red"})
        story.put(path, key, {"id": NOTHING})
        story.put(path, key, {})
        story.get(path, name=f"after all {key}")
    yield story


TELLERS = (discovery, aliases, methods, unknown, contents, spellings, fields_of_no_resource)
