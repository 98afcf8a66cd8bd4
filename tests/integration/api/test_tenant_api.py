"""The tenant API over a real bus and the real planner."""

import asyncio
from typing import Any

import httpx

from builders import PUBLIC, TENANT, an_id
from integration.api.asking import LBAAS, fault, made, make
from integration.api.world import UNKNOWN_SUBNET, World


async def test_a_load_balancer_is_built_piece_by_piece_and_deleted_with_all_in_it(world: World) -> None:
    created = await make(world)
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    assert created["provisioning_status"] == "PENDING_CREATE"
    assert (created["listeners"], created["pools"]) == ([], [])
    listener = await made(
        world, "listeners", "listener", loadbalancer_id=created["id"], protocol="HTTP", protocol_port=80
    )
    assert listener["provisioning_status"] == "PENDING_CREATE"
    pool = await made(world, "pools", "pool", listener_id=listener["id"], protocol="HTTP", lb_algorithm="ROUND_ROBIN")
    assert pool["listeners"] == [{"id": listener["id"]}]
    members = f"pools/{pool['id']}/members"
    member = await made(world, members, "member", address="10.1.0.10", protocol_port=80, subnet_id=TENANT)
    assert (member["subnet_id"], member["operating_status"]) == (TENANT, "NO_MONITOR")
    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 2}
    shown = await made(world, "healthmonitors", "healthmonitor", pool_id=pool["id"], **monitor)
    assert (shown["url_path"], shown["expected_codes"], shown["http_method"]) == ("/", "200", "GET")
    await world.wait_for(f"{LBAAS}/healthmonitors/{shown['id']}", "ACTIVE")
    await world.wait_for(path, "ACTIVE")
    statuses = (await world.client.get(f"{path}/status")).json()["statuses"]["loadbalancer"]
    (shown_pool,) = statuses["listeners"][0]["pools"]
    assert shown_pool["health_monitor"]["type"] == "HTTP"
    assert shown_pool["members"][0]["address"] == "10.1.0.10"
    fault(await world.client.delete(path), 400, "has children")
    assert (await world.client.delete(path, params={"cascade": "True"})).status_code == 204
    await world.wait_until_gone(path)
    fault(await world.client.get(f"{LBAAS}/listeners/{listener['id']}"), 404, listener["id"])
    assert (await world.client.get("/v2.0/octavia/amphorae")).json()["amphorae"] == []


async def test_a_whole_tree_is_created_at_once(world: World) -> None:
    created = await make(
        world,
        tags=["blue", "blue", "green"],
        listeners=[{"name": "l", "protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "p"}}],
        pools=[
            {
                "name": "p",
                "protocol": "HTTP",
                "lb_algorithm": "ROUND_ROBIN",
                "members": [{"address": "10.1.0.10", "protocol_port": "80"}],
                "healthmonitor": {"type": "TCP", "delay": 1, "timeout": 1, "max_retries": 2},
            }
        ],
    )
    (listener,), (pool,) = created["listeners"], created["pools"]
    assert created["tags"] == ["blue", "green"]
    assert listener["default_pool_id"] == pool["id"]
    assert "loadbalancers" not in listener
    assert "healthmonitor_id" not in pool
    assert pool["members"][0]["provisioning_status"] == "PENDING_CREATE"
    assert pool["healthmonitor"]["url_path"] is None
    found = (await world.client.get(f"{LBAAS}/listeners/{listener['id']}")).json()["listener"]
    assert found["loadbalancers"] == [{"id": created["id"]}]


async def test_a_refused_configuration_shows_error_and_the_next_good_change_heals(world: World) -> None:
    created = await make(world)
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    world.fleet.refuses = True
    listener = await made(
        world, "listeners", "listener", loadbalancer_id=created["id"], protocol="TCP", protocol_port=81
    )
    await world.wait_for(path, "ERROR")
    await world.wait_for(f"{LBAAS}/listeners/{listener['id']}", "ERROR")
    world.fleet.refuses = False
    response = await world.client.put(f"{LBAAS}/listeners/{listener['id']}", json={"listener": {"name": "again"}})
    assert response.status_code == 200
    await world.wait_for(path, "ACTIVE")
    assert (await world.wait_for(f"{LBAAS}/listeners/{listener['id']}", "ACTIVE"))["name"] == "again"


async def test_updates_change_only_what_is_sent_and_null_means_its_default(world: World) -> None:
    created = await make(world, description="first", tags=["a"])
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    with world.fleet.busy():
        response = await world.client.put(path, json={"loadbalancer": {"name": None, "admin_state_up": "no"}})
    shown = response.json()["loadbalancer"]
    assert (shown["name"], shown["admin_state_up"], shown["description"]) == ("", False, "first")
    assert shown["provisioning_status"] == "PENDING_UPDATE"
    assert shown["tags"] == ["a"]
    assert (await world.client.put(path, json={"loadbalancer": {}})).status_code == 200


async def test_members_are_replaced_as_a_whole(world: World) -> None:
    created = await make(world)
    pool = await made(
        world, "pools", "pool", loadbalancer_id=created["id"], protocol="TCP", lb_algorithm="LEAST_CONNECTIONS"
    )
    members = f"{LBAAS}/pools/{pool['id']}/members"
    first = [
        {"address": "10.1.0.10", "protocol_port": 80, "name": "one", "weight": 9},
        {"address": "10.1.0.11", "protocol_port": 80},
    ]
    response = await world.client.put(members, json={"members": first})
    assert (response.status_code, response.content) == (202, b"")
    await world.wait_for(f"{LBAAS}/pools/{pool['id']}", "ACTIVE")
    await world.client.put(members, json={"members": [{"address": "10.1.0.10", "protocol_port": 80}]})
    await world.wait_for(f"{LBAAS}/pools/{pool['id']}", "ACTIVE")
    (left,) = (await world.client.get(members)).json()["members"]
    assert (left["name"], left["weight"]) == ("one", 1)
    more = {"members": [{"address": "10.1.0.12", "protocol_port": 80}]}
    await world.client.put(members, json=more, params={"additive_only": "true"})
    assert len((await world.client.get(members)).json()["members"]) == 2
    fault(await world.client.put(members, json={"members": None}), 400, "members")
    wrong = {"members": [{"address": "10.1.0.12", "protocol_port": 0}]}
    fault(await world.client.put(members, json=wrong), 400, "members", "protocol_port")


async def test_bad_input_is_refused_by_name(world: World) -> None:
    created = await make(world)
    listener = {"loadbalancer_id": created["id"], "protocol": "HTTP", "protocol_port": 80}

    async def post(path: str, **more: Any) -> httpx.Response:
        return await world.client.post(f"{LBAAS}/{path}", **more)

    fault(await post("loadbalancers", json={"loadbalancer": {}}), 400, "vip_subnet_id")
    fault(await post("loadbalancers", json={"lb": {}}), 400, "loadbalancer")
    fault(await post("loadbalancers", json={}), 400, "loadbalancer")
    fault(await post("loadbalancers", content=b"{"), 400, "JSON")
    fault(await post("loadbalancers", content=b""), 400, "loadbalancer")
    fault(await post("loadbalancers", content=b"x", headers={"content-type": "text/plain"}), 415, "text/plain")
    taken = {"vip_subnet_id": PUBLIC, "vip_address": "203.0.113.66"}
    fault(await post("loadbalancers", json={"loadbalancer": taken}), 409, "203.0.113.66")
    fault(
        await post("listeners", json={"listener": listener | {"protocol_port": "80.5"}}), 400, "protocol_port", "80.5"
    )
    fault(await post("listeners", json={"listener": listener | {"protocol": "FTP"}}), 400, "protocol", "FTP")
    fault(await post("listeners", json={"listener": listener | {"colour": 1}}), 400, "listener", "colour")
    del listener["protocol"]
    fault(await post("listeners", json={"listener": listener}), 400, "protocol")
    unknown = {"loadbalancer_id": an_id("none"), "protocol": "HTTP", "protocol_port": 80}
    fault(await post("listeners", json={"listener": unknown}), 404, an_id("none"))
    pool = await made(
        world, "pools", "pool", loadbalancer_id=created["id"], protocol="HTTP", lb_algorithm="ROUND_ROBIN"
    )
    member = {"address": "10.1.0.10", "protocol_port": 80, "subnet_id": UNKNOWN_SUBNET}
    fault(await post(f"pools/{pool['id']}/members", json={"member": member}), 400, UNKNOWN_SUBNET)
    create_only = {"pool": {"protocol": "TCP"}}
    fault(await world.client.put(f"{LBAAS}/pools/{pool['id']}", json=create_only), 400, "pool", "protocol")


async def test_what_the_data_plane_cannot_carry_is_refused_as_such(world: World) -> None:
    created = await make(world)
    listener = {"loadbalancer_id": created["id"], "protocol": "SCTP", "protocol_port": 53}
    fault(await world.client.post(f"{LBAAS}/listeners", json={"listener": listener}), 501, "SCTP")


async def test_a_taken_port_and_a_second_monitor_are_conflicts(world: World) -> None:
    created = await make(world)
    listener = {"loadbalancer_id": created["id"], "protocol": "HTTP", "protocol_port": 80}
    await made(world, "listeners", "listener", **listener)
    fault(await world.client.post(f"{LBAAS}/listeners", json={"listener": listener | {"protocol": "TCP"}}), 409, "80")
    pool = await made(
        world, "pools", "pool", loadbalancer_id=created["id"], protocol="HTTP", lb_algorithm="ROUND_ROBIN"
    )
    monitor = {"pool_id": pool["id"], "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 2}
    await made(world, "healthmonitors", "healthmonitor", **monitor)
    fault(await world.client.post(f"{LBAAS}/healthmonitors", json={"healthmonitor": monitor}), 409)


async def test_every_spelling_of_a_path_is_the_same_and_unknown_ids_are_not_found(world: World) -> None:
    created = await make(world)
    prefixes = ("/v2", "/v2.0", "/v2/lbaas", LBAAS, "/load-balancer/v2.0/lbaas")
    for prefix in prefixes:
        for suffix in ("", "/", ".json"):
            found = await world.client.get(f"{prefix}/loadbalancers{suffix}", params={"id": created["id"]})
            assert [each["id"] for each in found.json()["loadbalancers"]] == [created["id"]]
    for version in ("/v2", "/v2/", "/v2.0/lbaas", "/v2/octavia"):
        assert (await world.client.get(version)).json() == "v2"
    fault(await world.client.get(f"{LBAAS}/loadbalancers/not-a-uuid"), 404, "not-a-uuid")
    for path in ("/v2/nonsense", f"{LBAAS}/loadbalancers/{created['id']}/bogus", "/nonsense"):
        response = await world.client.get(path)
        assert (response.status_code, set(response.json())) == (404, {"code", "title", "description"})
    response = await world.client.patch(f"{LBAAS}/loadbalancers")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert (await world.client.head(f"{LBAAS}/loadbalancers")).status_code == 405
    assert (await world.client.options(f"{LBAAS}/loadbalancers")).status_code == 200
    refused = await world.client.get(f"{LBAAS}/loadbalancers", headers={"accept": "text/html"})
    assert refused.status_code == 406
    assert refused.headers["x-openstack-request-id"].startswith("req-")


async def test_the_version_document_names_the_newest_as_current(world: World) -> None:
    versions = (await world.client.get("/load-balancer/")).json()["versions"]
    assert [each["id"] for each in versions if each["status"] == "CURRENT"] == ["v2.30"]
    assert versions[0]["links"][0]["href"].endswith("/load-balancer/v2")
    assert (await world.client.get("/load-balancer")).status_code == 302


async def test_lists_are_filtered_sorted_and_paged(world: World) -> None:
    for name, tag in (("c", "x"), ("a", "y"), ("b", "x")):
        await make(world, name=f"paged-{name}", description="paged", tags=[tag, "all"])

    def names(response: httpx.Response) -> list[str]:
        return [each["name"] for each in response.json()["loadbalancers"]]

    async def get(**params: Any) -> httpx.Response:
        return await world.client.get(f"{LBAAS}/loadbalancers", params={"description": "paged", **params})

    assert names(await get(sort="name:desc")) == ["paged-c", "paged-b", "paged-a"]
    assert names(await get(sort_key="name", sort_dir="asc")) == ["paged-a", "paged-b", "paged-c"]
    assert sorted(names(await get(tags="x,all"))) == ["paged-b", "paged-c"]
    assert names(await get(**{"not-tags-any": "x"})) == ["paged-a"]
    first = await get(sort="name", limit=2)
    (link,) = first.json()["loadbalancers_links"]
    assert link["rel"] == "next"
    assert "description" not in link["href"]
    rest = await world.client.get(link["href"], params=dict(httpx.URL(link["href"]).params) | {"description": "paged"})
    assert (names(first), names(rest)) == (["paged-a", "paged-b"], ["paged-c"])
    before = await get(sort="name", limit=2, marker=rest.json()["loadbalancers"][0]["id"], page_reverse="True")
    assert names(before) == ["paged-a", "paged-b"]
    only = await get(name="paged-a", fields=["id", "nonsense"])
    assert [set(each) for each in only.json()["loadbalancers"]] == [{"id"}]
    fault(await get(colour="red"), 400, "colour")
    fault(await get(marker="none"), 400, "marker")
    fault(await get(tenant_id="x"), 400, "tenant_id")
    assert (await get(limit="many")).json()["code"] == 400
    assert names(await get(admin_state_up="TRUE", limit=0, sort="name")) == ["paged-a", "paged-b", "paged-c"]


async def test_empty_collections_and_defaults_are_there(world: World) -> None:
    for path, key, links in (
        ("flavors", "flavors", "flavors_links"),
        ("flavorprofiles", "flavorprofiles", "flavorprofile_links"),
        ("availabilityzones", "availability_zones", "availability_zones_links"),
    ):
        assert (await world.client.get(f"{LBAAS}/{path}")).json() == {key: [], links: []}
    quota = (await world.client.get(f"{LBAAS}/quotas/someone")).json()["quota"]
    assert (quota["load_balancer"], quota["health_monitor"], quota["project_id"]) == (-1, -1, "someone")
    assert (await world.client.get(f"{LBAAS}/quotas/defaults")).json()["quota"]["member"] == -1
    providers = (await world.client.get(f"{LBAAS}/providers")).json()["providers"]
    assert "actium" in {each["name"] for each in providers}


async def test_the_project_is_the_callers_unless_the_body_says_otherwise(world: World) -> None:
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC}}
    response = await world.client.post(f"{LBAAS}/loadbalancers", json=body, headers={"X-Project-Id": "mine"})
    assert response.json()["loadbalancer"]["project_id"] == "mine"
    created = await make(world, project_id="ignored", tenant_id="theirs")
    assert (created["project_id"], created["tenant_id"]) == ("theirs", "theirs")


async def test_a_deleted_read_model_is_rebuilt_equal_while_writes_arrive(world: World) -> None:
    created = await make(world, name="kept", pools=[{"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}])
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    before = (await world.client.get(path)).json()
    pool = (await world.client.get(f"{LBAAS}/pools/{created['pools'][0]['id']}")).json()

    written: list[str] = []

    async def write() -> None:
        while True:
            try:
                body = {"loadbalancer": {"name": "meanwhile", "vip_subnet_id": PUBLIC}}
                response = await world.client.post(f"{LBAAS}/loadbalancers", json=body)
                if response.status_code == 201:
                    written.append(response.json()["loadbalancer"]["id"])
                else:  # caught in the middle by the end of the old process
                    fault(response, 503, "outcome of this request is unknown")
            except httpx.TransportError:
                await asyncio.sleep(0.02)

    async def wait_for_writes(count: int) -> None:
        async with asyncio.timeout(20.0):
            while len(written) < count:
                await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    await wait_for_writes(3)
    await world.restart_api()
    assert (await world.client.get(path)).json() == before
    assert (await world.client.get(f"{LBAAS}/pools/{created['pools'][0]['id']}")).json() == pool
    await wait_for_writes(len(written) + 3)
    writing.cancel()
    for each in written:
        await world.wait_for(f"{LBAAS}/loadbalancers/{each}", "ACTIVE")


async def test_what_is_too_large_or_too_deep_is_refused_and_nothing_else_suffers(world: World) -> None:
    created = await make(world, pools=[{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}])
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    members = f"{LBAAS}/pools/{created['pools'][0]['id']}/members"
    json = {"content-type": "application/json"}
    for body in (b"[" * 100_000, b'{"loadbalancer":' * 100_000):
        fault(await world.client.put(path, content=body, headers=json), 400, "nested")
    long = b'{"loadbalancer": {"name": "%b"}}' % (b"x" * 9 * 1024 * 1024)
    assert (await world.client.put(path, content=long, headers=json)).status_code == 413
    many = [{"address": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "protocol_port": 80} for n in range(60_000)]
    fault(await world.client.put(members, json={"members": many}), 413, "too large")
    fault(await world.client.put(members, json={"members": many[:20_000]}), 400, "too large")
    assert (await world.client.get(path)).json()["loadbalancer"]["provisioning_status"] == "ACTIVE"
    for number in (2**63, -(2**63) - 1, 10**30):
        fault(await world.client.get(f"{LBAAS}/listeners", params={"protocol_port": number}), 400, "protocol_port")


async def test_ranges_that_no_vip_can_be_reached_from_are_refused(world: World) -> None:
    created = await make(world)
    listener = {"loadbalancer_id": created["id"], "protocol": "HTTP", "protocol_port": 80}
    post = {"listener": listener | {"allowed_cidrs": ["10.0.0.0/8", "2001:db8::/32"]}}
    fault(await world.client.post(f"{LBAAS}/listeners", json=post), 400, "allowed_cidrs", "2001:db8::/32")
    whole = {
        "vip_subnet_id": PUBLIC,
        "listeners": [{"protocol": "HTTP", "protocol_port": 80, "allowed_cidrs": ["::/0"]}],
    }
    fault(await world.client.post(f"{LBAAS}/loadbalancers", json={"loadbalancer": whole}), 400, "allowed_cidrs", "::/0")
    made_one = await made(world, "listeners", "listener", **listener, allowed_cidrs=["10.1.2.3/8"])
    assert made_one["allowed_cidrs"] == ["10.0.0.0/8"]
    put = {"listener": {"allowed_cidrs": ["::/0"]}}
    fault(await world.client.put(f"{LBAAS}/listeners/{made_one['id']}", json=put), 400, "allowed_cidrs", "::/0")
