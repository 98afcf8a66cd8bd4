"""What operators settle, over the real API and planner: flavors, zones, their profiles, quotas, capabilities."""

import asyncio
from typing import Any

import httpx

from actium_shared.ids import RandomIds
from builders import PUBLIC, an_id
from integration.api.world import World

LBAAS = "/v2.0/lbaas"
SEVEN = {"loadbalancer", "listener", "pool", "member", "healthmonitor", "l7policy", "l7rule"}
OLD = {"load_balancer", "health_monitor"}


def new(what: str) -> str:
    """Give a name that no other test has: they share a log."""
    return f"{what}-{RandomIds().new()[:8]}"


def fault(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    assert set(response.json()) == {"faultcode", "faultstring", "debuginfo"}
    for word in words:
        assert word in response.json()["faultstring"], response.text


async def made(world: World, path: str, key: str, **fields: Any) -> dict[str, Any]:
    response = await world.client.post(f"{LBAAS}/{path}", json={key: fields})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()[key]
    return document


async def a_flavor(world: World, data: str = '{"amp_image_tag": "v2"}', **fields: Any) -> dict[str, Any]:
    profile = await made(
        world, "flavorprofiles", "flavorprofile", name="small", provider_name="amphora", flavor_data=data
    )
    return await made(
        world, "flavors", "flavor", **({"name": new("flavor"), "flavor_profile_id": profile["id"]} | fields)
    )


async def a_zone(world: World, data: str = '{"compute_zone": "nova"}') -> dict[str, Any]:
    profile = await made(
        world,
        "availabilityzoneprofiles",
        "availability_zone_profile",
        name="rack",
        provider_name="actium",
        availability_zone_data=data,
    )
    fields = {"name": new("az"), "availability_zone_profile_id": profile["id"], "description": "first"}
    return await made(world, "availabilityzones", "availability_zone", **fields)


async def test_flavors_and_their_profiles_live_as_upstreams_do(world: World) -> None:
    flavor = await a_flavor(world, description="d")
    assert set(flavor) == {"id", "name", "description", "enabled", "flavor_profile_id"}
    assert flavor["enabled"] is True
    path, profile_path = f"{LBAAS}/flavors/{flavor['id']}", f"{LBAAS}/flavorprofiles/{flavor['flavor_profile_id']}"
    client = world.client
    fault(await client.post(f"{LBAAS}/flavors", json={"flavor": {**flavor, "id": None}}), 400, "id")
    same = {"name": flavor["name"], "flavor_profile_id": flavor["flavor_profile_id"]}
    fault(await client.post(f"{LBAAS}/flavors", json={"flavor": same}), 409, flavor["name"])
    unknown = {"name": "x", "flavor_profile_id": an_id("unknown")}
    fault(await client.post(f"{LBAAS}/flavors", json={"flavor": unknown}), 400, "flavor_profile_id")
    fault(await client.put(path, json={"flavor": {"flavor_profile_id": an_id("x")}}), 400, "flavor_profile_id")
    fault(await client.delete(profile_path), 409, "in use")
    fault(await client.put(profile_path, json={"flavorprofile": {"flavor_data": "{}"}}), 409, "in use")
    renamed = await client.put(profile_path, json={"flavorprofile": {"name": "tiny"}})
    assert (renamed.status_code, renamed.json()["flavorprofile"]["name"]) == (200, "tiny")
    changed = await client.put(path, json={"flavor": {"enabled": False, "description": None}})
    assert changed.json()["flavor"] == {**flavor, "enabled": False, "description": ""}
    assert (await client.delete(path)).status_code == 204
    fault(await client.get(path), 404, flavor["id"])
    fault(await client.delete(path), 404, flavor["id"])
    fault(await client.put(path, json={"flavor": {}}), 404, flavor["id"])
    assert (await client.delete(profile_path)).status_code == 204
    fault(await client.get(f"{LBAAS}/flavors/00000000-0000-0000-0000-000000000000"), 404)


async def test_profile_data_is_the_providers_to_judge(world: World) -> None:
    async def post(**fields: Any) -> httpx.Response:
        body = {"name": "p", "provider_name": "actium", "flavor_data": "{}"} | fields
        return await world.client.post(f"{LBAAS}/flavorprofiles", json={"flavorprofile": body})

    fault(await post(flavor_data={"compute_flavor": "1"}), 400, "flavor_data")
    fault(await post(flavor_data="{"), 400, "flavor_data")
    fault(await post(provider_name="another"), 400, "another")
    fault(await post(flavor_data='{"turbo": 1}'), 501, "turbo")
    fault(await post(flavor_data='{"loadbalancer_topology": "TRIPLE"}'), 501, "TRIPLE")
    assert (await post(flavor_data='{"loadbalancer_topology": "SINGLE", "compute_flavor": "7"}')).status_code == 201


async def test_zones_live_under_their_names(world: World) -> None:
    zone = await a_zone(world)
    assert set(zone) == {"name", "description", "enabled", "availability_zone_profile_id"}
    path = f"{LBAAS}/availabilityzones/{zone['name']}"
    profile_path = f"{LBAAS}/availabilityzoneprofiles/{zone['availability_zone_profile_id']}"
    fault(await world.client.post(f"{LBAAS}/availabilityzones", json={"availability_zone": zone}), 409, zone["name"])
    fault(await world.client.put(path, json={"availability_zone": {"name": "az2"}}), 400, "name")
    fault(await world.client.delete(profile_path), 409, "in use")
    changed = await world.client.put(path, json={"availability_zone": {"enabled": "no"}})
    assert changed.json()["availability_zone"]["enabled"] is False
    assert (await world.client.delete(path)).status_code == 204
    fault(await world.client.get(path), 404, zone["name"])
    assert (await world.client.delete(profile_path)).status_code == 204


async def test_a_zones_creation_can_be_repeated_with_its_key(world: World) -> None:
    zone = await a_zone(world)
    body = {"availability_zone": {**zone, "name": new("az")}}
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        response = await world.client.post(f"{LBAAS}/availabilityzones", json=body, headers=headers)
        assert response.status_code == 201, response.text
    assert (await world.client.post(f"{LBAAS}/availabilityzones", json=body)).status_code == 409


async def test_lists_filter_sort_page_and_pick_fields(world: World) -> None:
    a, b, c = (new(letter) for letter in "abc")
    profile_id = (await a_flavor(world, name=c))["flavor_profile_id"]
    for name in (b, a):
        await made(world, "flavors", "flavor", name=name, flavor_profile_id=profile_id, enabled=name == a)
    ours = {"flavor_profile_id": profile_id}

    async def names(**parameters: str) -> list[str]:
        response = await world.client.get(f"{LBAAS}/flavors", params=ours | parameters)
        assert response.status_code == 200, response.text
        return [each["name"] for each in response.json()["flavors"]]

    assert sorted(await names()) == [a, b, c]
    assert await names(sort="name:desc") == [c, b, a]
    assert await names(enabled="False") == [b]
    assert await names(name=c) == [c]
    page = (await world.client.get(f"{LBAAS}/flavors", params=ours | {"limit": "2", "sort": "name"})).json()
    assert [each["name"] for each in page["flavors"]] == [a, b]
    following = await world.client.get(page["flavors_links"][0]["href"], params=None)
    assert c in [each["name"] for each in following.json()["flavors"]]
    picked = (await world.client.get(f"{LBAAS}/flavors", params=[("fields", "name"), ("name", a)])).json()
    assert picked["flavors"] == [{"name": a}]
    fault(await world.client.get(f"{LBAAS}/flavors", params={"colour": "red"}), 400, "colour")


async def test_lists_have_upstreams_keys(world: World) -> None:
    flavor, zone = await a_flavor(world), await a_zone(world)
    profile = {"id": flavor["flavor_profile_id"], "provider_name": "amphora"}
    found = (await world.client.get(f"{LBAAS}/flavorprofiles", params=profile)).json()
    assert (len(found["flavorprofiles"]), found["flavorprofile_links"]) == (1, [])
    zone_profile = {"id": zone["availability_zone_profile_id"]}
    found = (await world.client.get(f"{LBAAS}/availabilityzoneprofiles", params=zone_profile)).json()
    assert (len(found["availability_zone_profiles"]), found["availability_zone_profile_links"]) == (1, [])
    assert (await world.client.get(f"{LBAAS}/availabilityzones", params={"name": zone["name"]})).json() == {
        "availability_zones": [zone],
        "availability_zones_links": [],
    }


async def create(world: World, **fields: Any) -> httpx.Response:
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC, **fields}}
    return await world.client.post(f"{LBAAS}/loadbalancers", json=body)


async def test_a_load_balancer_takes_its_flavor_and_zone_and_keeps_them(world: World) -> None:
    flavor, zone = await a_flavor(world), await a_zone(world)
    response = await create(world, flavor_id=flavor["id"], availability_zone=zone["name"])
    assert response.status_code == 201, response.text
    made_one = response.json()["loadbalancer"]
    # The name by which the flavor's profile calls our provider.
    shown = {name: made_one[name] for name in ("provider", "flavor_id", "availability_zone")}
    assert shown == {"provider": "amphora", "flavor_id": flavor["id"], "availability_zone": zone["name"]}
    path = f"{LBAAS}/loadbalancers/{made_one['id']}"
    await world.wait_for(path, "ACTIVE")
    fault(await world.client.delete(f"{LBAAS}/flavors/{flavor['id']}"), 409, "in use")
    fault(await world.client.delete(f"{LBAAS}/availabilityzones/{zone['name']}"), 409, "in use")
    await world.client.delete(path)
    await world.wait_until_gone(path)
    assert (await world.client.delete(f"{LBAAS}/flavors/{flavor['id']}")).status_code == 204
    assert (await world.client.delete(f"{LBAAS}/availabilityzones/{zone['name']}")).status_code == 204


async def test_what_cannot_be_chosen_is_said(world: World) -> None:
    flavor = await a_flavor(world)
    fault(await create(world, flavor_id=an_id("unknown")), 400, "flavor_id")
    fault(await create(world, flavor_id=None), 400, "flavor_id")
    fault(await create(world, availability_zone="nowhere"), 400, "nowhere")
    fault(await create(world, flavor_id=flavor["id"], provider="another"), 400, "another")
    await world.client.put(f"{LBAAS}/flavors/{flavor['id']}", json={"flavor": {"enabled": False}})
    fault(await create(world, flavor_id=flavor["id"]), 400, "disabled")
    virtual = await made(
        world,
        "flavorprofiles",
        "flavorprofile",
        name="virtual",
        provider_name="actium",
        flavor_data='{"sriov_vip": true}',
    )
    fast = await made(world, "flavors", "flavor", name=new("fast"), flavor_profile_id=virtual["id"])
    fault(await create(world, flavor_id=fast["id"]), 501, "not yet offered")


async def test_quotas_are_shown_in_both_spellings_with_the_sites_defaults_filled_in(world: World) -> None:
    project = new("p")
    client, path = world.client, f"{LBAAS}/quotas/{project}"
    shown = (await client.get(path)).json()["quota"]
    assert set(shown) == SEVEN | OLD | {"project_id", "tenant_id"}
    assert {shown[name] for name in SEVEN | OLD} == {-1}
    assert shown["project_id"] == project
    for defaults in ("defaults", f"{project}/default"):
        assert (await client.get(f"{LBAAS}/quotas/{defaults}")).json()["quota"]["loadbalancer"] == -1
    nothing = (await client.get(f"{LBAAS}/quotas", params={"project_id": project})).json()
    assert nothing == {"quotas": [], "quotas_links": []}
    fault(await client.delete(path), 404, project)
    response = await client.put(path, json={"quota": {"load_balancer": 5, "member": "7"}})
    assert response.status_code == 202
    set_one = response.json()["quota"]
    assert (set_one["loadbalancer"], set_one["load_balancer"], set_one["member"], set_one["pool"]) == (5, 5, 7, -1)
    (listed,) = (await client.get(f"{LBAAS}/quotas", params={"project_id": project})).json()["quotas"]
    assert (listed["loadbalancer"], listed["pool"], listed["health_monitor"]) == (5, None, None)
    await client.put(path, json={"quota": {"loadbalancer": None}})
    assert (await client.get(path)).json()["quota"]["loadbalancer"] == -1
    fault(await client.put(path, json={"quota": {"pool": -2}}), 400, "pool")
    fault(await client.put(path, json={"quota": {"routers": 1}}), 400, "routers")
    response = await client.delete(path)
    assert (response.status_code, response.content) == (202, b"")
    (listed,) = (await client.get(f"{LBAAS}/quotas", params={"project_id": project})).json()["quotas"]
    assert listed["member"] is None


async def test_a_quota_holds_under_parallel_creates_and_is_given_back(world: World) -> None:
    project = new("p")
    await world.client.put(f"{LBAAS}/quotas/{project}", json={"quota": {"loadbalancer": 3}})
    responses = await asyncio.gather(*(create(world, project_id=project, name=f"lb{n}") for n in range(8)))
    made_ones = [each.json()["loadbalancer"]["id"] for each in responses if each.status_code == 201]
    assert len(made_ones) == 3
    for each in responses:
        if each.status_code != 201:
            fault(each, 403, "load balancers")
    assert (await create(world, project_id=new("p"))).status_code == 201
    path = f"{LBAAS}/loadbalancers/{made_ones[0]}"
    await world.client.delete(path)
    await world.wait_until_gone(path)
    assert (await create(world, project_id=project)).status_code == 201


async def test_a_tree_that_exceeds_one_kind_makes_nothing(world: World) -> None:
    project = new("p")
    await world.client.put(f"{LBAAS}/quotas/{project}", json={"quota": {"listener": 1}})
    listeners = [{"protocol": "HTTP", "protocol_port": port} for port in (80, 81)]
    fault(await create(world, project_id=project, listeners=listeners), 403, "listeners")
    found = (await world.client.get(f"{LBAAS}/loadbalancers", params={"project_id": project})).json()
    assert found["loadbalancers"] == []


async def test_providers_tell_what_they_understand(world: World) -> None:
    client = world.client
    providers = (await client.get(f"{LBAAS}/providers")).json()
    assert [each["name"] for each in providers.pop("providers")] == ["actium", "amphora", "octavia"]
    assert providers == {}
    path = f"{LBAAS}/providers/amphora/flavor_capabilities"
    found = (await client.get(path)).json()["flavor_capabilities"]
    assert {"loadbalancer_topology", "compute_flavor", "amp_image_tag"} <= {each["name"] for each in found}
    (one,) = (await client.get(path, params={"name": "sriov_vip", "fields": "name"})).json()["flavor_capabilities"]
    assert one == {"name": "sriov_vip"}
    zones = (await client.get(f"{LBAAS}/providers/actium/availability_zone_capabilities")).json()
    assert "compute_zone" in {each["name"] for each in zones["availability_zone_capabilities"]}
    fault(await client.get(f"{LBAAS}/providers/another/flavor_capabilities"), 400, "another")
    assert (await client.get(f"{LBAAS}/providers/actium")).status_code == 405
