"""What came with the whole API: L7, secrets, more addresses, everything in one call; over a real bus and planner."""

from builders import PUBLIC, TENANT, an_id
from integration.api.test_tenant_api import LBAAS, fault, made, make
from integration.api.world import UNKNOWN_SECRET, World

POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
RULE = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}


async def test_policies_are_put_in_their_places_and_rules_made_changed_and_deleted(world: World) -> None:
    created = await make(world, listeners=[{"protocol": "HTTP", "protocol_port": 80}])
    listener_id = created["listeners"][0]["id"]
    first = await made(world, "l7policies", "l7policy", listener_id=listener_id, action="REJECT")
    second = await made(world, "l7policies", "l7policy", listener_id=listener_id, action="REJECT", position=1)
    path = f"{LBAAS}/l7policies/{first['id']}"
    assert (first["position"], second["position"]) == (1, 1)
    assert (await world.client.get(path)).json()["l7policy"]["position"] == 2
    rules = f"l7policies/{first['id']}/rules"
    await world.wait_for(path, "ACTIVE")
    with world.fleet.busy():
        rule = await made(world, rules, "rule", **RULE)
        assert (await world.client.get(path)).json()["l7policy"]["provisioning_status"] == "PENDING_UPDATE"
    assert (await world.client.get(f"{LBAAS}/{rules}")).json() == {"rules": [rule], "rules_links": []}
    changed = await world.client.put(f"{LBAAS}/{rules}/{rule['id']}", json={"rule": {"value": "/b"}})
    assert changed.json()["rule"]["value"] == "/b"
    shown = await world.wait_for(f"{LBAAS}/{rules}/{rule['id']}", "ACTIVE")
    assert shown["operating_status"] == "ONLINE"
    assert (await world.client.delete(f"{LBAAS}/{rules}/{rule['id']}")).status_code == 204
    assert (await world.client.delete(f"{LBAAS}/l7policies/{second['id']}")).status_code == 204
    await world.wait_until_gone(f"{LBAAS}/l7policies/{second['id']}")
    assert (await world.client.get(path)).json()["l7policy"]["position"] == 1
    fault(await world.client.put(path, json={"l7policy": {}}), 400, "l7policy")


async def test_a_redirecting_policy_names_its_pool_and_keeps_it(world: World) -> None:
    created = await make(world, listeners=[{"protocol": "HTTP", "protocol_port": 80}], pools=[{"name": "p", **POOL}])
    listener_id, pool_id = created["listeners"][0]["id"], created["pools"][0]["id"]
    policy = {"listener_id": listener_id, "action": "REDIRECT_TO_POOL", "redirect_pool_id": pool_id}
    shown = await made(world, "l7policies", "l7policy", **policy)
    assert (await world.client.get(f"{LBAAS}/pools/{pool_id}")).json()["pool"]["listeners"] == []
    await made(world, f"l7policies/{shown['id']}/rules", "rule", **RULE)
    assert (await world.client.get(f"{LBAAS}/pools/{pool_id}")).json()["pool"]["listeners"] == [{"id": listener_id}]
    fault(await world.client.delete(f"{LBAAS}/pools/{pool_id}"), 409, pool_id)
    found = (await world.client.get(f"{LBAAS}/l7policies", params={"redirect_pool_id": pool_id})).json()
    assert [each["id"] for each in found["l7policies"]] == [shown["id"]]
    path = f"{LBAAS}/l7policies/{shown['id']}"
    to_url = (await world.client.put(path, json={"l7policy": {"redirect_url": "http://a.example/"}})).json()["l7policy"]
    assert (to_url["action"], to_url["redirect_pool_id"], to_url["redirect_http_code"]) == (
        "REDIRECT_TO_URL",
        None,
        302,
    )
    assert (await world.client.delete(f"{LBAAS}/pools/{pool_id}")).status_code == 204
    unknown = policy | {"redirect_pool_id": an_id("none")}
    fault(await world.client.post(f"{LBAAS}/l7policies", json={"l7policy": unknown}), 404, an_id("none"))


async def test_everything_is_made_in_one_call_and_shown_as_a_whole(world: World) -> None:
    created = await make(
        world,
        listeners=[
            {
                "name": "l",
                "protocol": "TERMINATED_HTTPS",
                "protocol_port": 443,
                "default_tls_container_ref": "certificate",
                "sni_container_refs": ["other"],
                "default_pool": {"name": "p"},
                "l7policies": [
                    {"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "q", **POOL}, "rules": [RULE, RULE]},
                    {"action": "REDIRECT_TO_URL", "redirect_url": "https://a.example/", "position": 1},
                ],
            }
        ],
        pools=[{"name": "p", **POOL, "members": [{"address": "10.1.0.10", "protocol_port": 80, "subnet_id": TENANT}]}],
        additional_vips=[{"subnet_id": TENANT, "ip_address": "10.1.0.7"}],
        provider="amphora",
    )
    (listener,) = created["listeners"]
    pools = {pool["name"]: pool for pool in created["pools"]}
    first, second = listener["l7policies"]
    assert (first["redirect_url"], second["redirect_pool_id"]) == ("https://a.example/", pools["q"]["id"])
    assert [rule["value"] for rule in second["rules"]] == ["/a", "/a"]
    assert {rule["provisioning_status"] for rule in second["rules"]} == {"PENDING_CREATE"}
    assert listener["default_pool_id"] == pools["p"]["id"]
    assert listener["tls_versions"] == ["TLSv1.2", "TLSv1.3"]
    assert [(each["subnet_id"], each["ip_address"]) for each in created["additional_vips"]] == [(TENANT, "10.1.0.7")]
    assert created["provider"] == "amphora"
    assert ("default_tls_container_ref", "certificate") in world.fleet.secrets_asked_for
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    statuses = (await world.client.get(f"{path}/status")).json()["statuses"]["loadbalancer"]
    assert [pool["name"] for pool in statuses["listeners"][0]["pools"]] == ["p", "q"]
    await world.wait_for(f"{LBAAS}/l7policies/{second['id']}", "ACTIVE")
    assert (await world.client.delete(path, params={"cascade": "true"})).status_code == 204
    await world.wait_until_gone(path)
    for gone in (f"listeners/{listener['id']}", f"l7policies/{first['id']}", f"pools/{pools['q']['id']}"):
        fault(await world.client.get(f"{LBAAS}/{gone}"), 404)


async def test_a_repeated_create_of_everything_with_its_key_makes_nothing_new(world: World) -> None:
    policies = [{"action": "REJECT", "rules": [RULE]}]
    listeners = [
        {"protocol": "HTTP", "protocol_port": 80, "l7policies": policies, "default_pool": {"name": "p", **POOL}}
    ]
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC, "listeners": listeners}}
    first, again = [
        (await world.client.post(f"{LBAAS}/loadbalancers", json=body, headers={"Idempotency-Key": "one"})).json()
        for _ in range(2)
    ]
    assert (
        again["loadbalancer"]["listeners"][0]["l7policies"][0]["rules"][0]["id"]
        == (first["loadbalancer"]["listeners"][0]["l7policies"][0]["rules"][0]["id"])
    )


async def test_a_secret_that_cannot_be_used_is_refused_by_name_on_create_and_update(world: World) -> None:
    created = await make(world)
    terminating = {"loadbalancer_id": created["id"], "protocol": "TERMINATED_HTTPS", "protocol_port": 443}
    bad = terminating | {"default_tls_container_ref": UNKNOWN_SECRET}
    fault(await world.client.post(f"{LBAAS}/listeners", json={"listener": bad}), 400, UNKNOWN_SECRET)
    found = await world.client.get(f"{LBAAS}/listeners", params={"loadbalancer_id": created["id"]})
    assert found.json()["listeners"] == []
    shown = await made(world, "listeners", "listener", **terminating, default_tls_container_ref="good")
    path = f"{LBAAS}/listeners/{shown['id']}"
    fault(
        await world.client.put(path, json={"listener": {"sni_container_refs": [UNKNOWN_SECRET]}}), 400, UNKNOWN_SECRET
    )
    fault(await world.client.put(path, json={"listener": {"default_tls_container_ref": None}}), 400)
    whole = {
        "vip_subnet_id": PUBLIC,
        "pools": [{"name": "p", **POOL, "tls_enabled": True, "ca_tls_container_ref": UNKNOWN_SECRET}],
    }
    fault(await world.client.post(f"{LBAAS}/loadbalancers", json={"loadbalancer": whole}), 400, UNKNOWN_SECRET)
    pool = await made(world, "pools", "pool", loadbalancer_id=created["id"], **POOL)
    change = {"pool": {"tls_container_ref": UNKNOWN_SECRET}}
    fault(await world.client.put(f"{LBAAS}/pools/{pool['id']}", json=change), 400, UNKNOWN_SECRET)


async def test_network_objects_that_do_not_exist_are_refused(world: World) -> None:
    group = an_id("group")
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC, "vip_sg_ids": [group]}}
    fault(await world.client.post(f"{LBAAS}/loadbalancers", json=body), 400, group)
    created = await make(world)
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    fault(await world.client.put(path, json={"loadbalancer": {"vip_sg_ids": [group]}}), 400, group)
    assert (await world.client.put(path, json={"loadbalancer": {"vip_sg_ids": None}})).status_code == 200
