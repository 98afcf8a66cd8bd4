"""Load balancers of another vendor's octavia-lib driver: the same API, states and events, and nothing of ours runs."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from octavia_lib.api.drivers.data_models import Unset

from actium_api.drivers import threads, vendor
from builders import PUBLIC, an_id
from integration.drivers.conftest import Site
from integration.drivers.vendors import LBS, active, create, served, shown

STATUSES = ("provisioning_status", "operating_status")


async def test_providers_are_listed_and_those_that_cannot_be_loaded_are_left_out(site: Site) -> None:
    listed = (await site.client.get("/v2/lbaas/providers")).json()["providers"]
    assert {"name": "acme", "description": "Appliances by Acme."} in listed
    assert {each["name"] for each in listed} == {"actium", "amphora", "octavia", "acme", "ports"}
    found = (await site.client.get("/v2/lbaas/providers/acme/flavor_capabilities")).json()
    assert found == {"flavor_capabilities": [{"name": "speed", "description": "How fast."}]}
    assert (await site.client.get("/v2/lbaas/providers/acme/availability_zone_capabilities")).status_code == 501
    refused = await site.client.post(LBS, json={"loadbalancer": {"vip_subnet_id": PUBLIC, "provider": "wreck"}})
    assert refused.status_code == 400
    assert "'wreck' is not enabled" in refused.json()["faultstring"]


async def test_its_life_from_creation_to_deletion(site: Site) -> None:
    made = await create(site, tags=["blue"])
    path = f"{LBS}/{made['id']}"
    ((given,),) = site.asked("loadbalancer_create")
    assert (given.loadbalancer_id, given.vip_address) == (made["id"], made["vip_address"])
    assert await shown(site, path, "provider", "tags", *STATUSES) == ("acme", ["blue"], "PENDING_CREATE", "OFFLINE")
    await active(site, made["id"])
    assert await shown(site, path, *STATUSES) == ("ACTIVE", "ONLINE")
    assert (await site.client.delete(path)).status_code == 204
    assert await shown(site, path, "provisioning_status") == ("PENDING_DELETE",)
    await site.report(loadbalancers=[{"id": made["id"], "provisioning_status": "DELETED"}])
    await site.world.wait_until_gone(path)
    assert not (await site.client.get("/v2/octavia/amphorae")).json()["amphorae"]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("unsupported", 501, "Provider 'acme' does not support a requested option: no such option"),
        ("conflict", 409, "address in use"),
        ("broken", 500, "Provider 'acme' reports error: the appliance burns"),
        ("bug", 500, "Provider 'acme' reports error: of all things"),
        ("out of resources", 500, "all appliances are full"),
    ],
)
async def test_what_the_driver_refuses_reaches_the_user_in_words(
    site: Site, name: str, status: int, words: str
) -> None:
    body = {"vip_subnet_id": PUBLIC, "provider": "acme", "name": name}
    response = await site.client.post(LBS, json={"loadbalancer": body})
    assert response.status_code == status
    assert words in response.json()["faultstring"]
    assert (await site.client.get(LBS, params={"name": name})).json()["loadbalancers"] == []


async def test_a_driver_that_hangs_is_not_waited_for_and_undone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "SETTLE_S", 0.5)
    body = {"vip_subnet_id": PUBLIC, "provider": "acme", "name": "slow"}
    response = await site.client.post(LBS, json={"loadbalancer": body})
    assert response.status_code == 500
    assert "has not answered within 1 s" in response.json()["faultstring"]

    async def undone() -> bool:
        return bool(site.asked("loadbalancer_delete"))

    await site.until(undone)
    ((asked, cascade),) = site.asked("loadbalancer_delete")
    assert (asked.name, cascade) == ("slow", True)
    order = [method for method, _ in site.acme.CALLS]
    assert order.index("slow_end") < order.index("loadbalancer_delete")


async def test_a_proposal_that_cannot_be_undone_is_parked_and_stops_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "SETTLE_S", 0.5)
    body = {"vip_subnet_id": PUBLIC, "provider": "acme", "name": "slow"}
    asked = asyncio.create_task(site.client.post(LBS, json={"loadbalancer": body}))

    async def proposed() -> bool:
        return bool(site.asked("loadbalancer_create"))  # before, it may be proposed once more, with its address

    await site.until(proposed)
    assert site.world.change_database("UPDATE proposals SET command = x'00'") == 1
    assert (await asked).status_code == 500

    async def parked() -> bool:
        letters = (await site.client.get("/operator/v1/dead-letters")).json()
        return "cannot be read" in str(letters)

    await site.until(parked)

    async def settled() -> bool:
        return site.world.change_database("UPDATE proposals SET provider = provider") == 0

    await site.until(settled)
    assert (await site.client.post(LBS, json={"loadbalancer": {**body, "name": "slow"}})).status_code == 500

    async def undone() -> bool:
        return bool(site.asked("loadbalancer_delete"))

    await site.until(undone)


async def test_each_call_has_its_own_deadline(site: Site) -> None:
    body = {"name": "p", "provider_name": "acme", "flavor_data": '{"speed": "steady"}'}
    profile = (await site.client.post("/v2/flavorprofiles", json={"flavorprofile": body})).json()["flavorprofile"]
    body = {"name": "steady", "flavor_profile_id": profile["id"]}
    flavor = (await site.client.post("/v2/flavors", json={"flavor": body})).json()["flavor"]
    assert (await create(site, name="steady", flavor_id=flavor["id"]))["provider"] == "acme"


async def test_who_finds_every_thread_of_a_driver_busy_is_told_to_try_again(site: Site) -> None:
    async def ask(speed: str) -> httpx.Response:
        body = {"name": "p", "provider_name": "acme", "flavor_data": json.dumps({"speed": speed})}
        return await site.client.post("/v2/flavorprofiles", json={"flavorprofile": body})

    async def all_held() -> bool:
        return len(site.asked("validate_flavor")) == threads.MOST

    held = [asyncio.create_task(ask("held")) for _ in range(threads.MOST)]
    try:
        await site.until(all_held)
        response = await ask("fast")
    finally:
        site.acme.RELEASE.set()
        await asyncio.gather(*held)
    assert response.status_code == 503
    busy = f"{threads.MOST} calls to the driver of provider 'acme' are under way already; try again later."
    assert response.json() == {"faultcode": "Server", "faultstring": busy, "debuginfo": None}
    assert response.headers["x-openstack-request-id"].startswith("req-")

    async def served() -> bool:
        return (await ask("fast")).status_code == 201

    await site.until(served)


async def test_a_driver_may_call_things_gone_before_its_call_has_returned(site: Site) -> None:
    listener = {"name": "quick", "protocol": "TCP", "protocol_port": 80}
    lb_id = (await served(site, name="quick", listeners=[listener]))["id"]
    ((made,),) = await shown(site, f"{LBS}/{lb_id}", "listeners")
    path = f"/v2/listeners/{made['id']}"
    assert (await site.client.delete(path)).status_code == 204
    assert (await site.client.get(path)).status_code == 404
    assert await shown(site, f"{LBS}/{lb_id}", "provisioning_status") == ("ACTIVE",)
    assert (await site.client.delete(f"{LBS}/{lb_id}")).status_code == 204
    await site.world.wait_until_gone(f"{LBS}/{lb_id}")


async def test_a_driver_that_makes_ports_makes_none_for_what_is_refused(site: Site) -> None:
    listeners = [{"protocol": "TCP", "protocol_port": 80}] * 2
    body = {"vip_subnet_id": PUBLIC, "provider": "ports", "name": "web", "listeners": listeners}
    refused = await site.client.post(LBS, json={"loadbalancer": body})
    assert refused.status_code == 409, refused.text
    assert not site.asked("create_vip_port")

    conflicting = {"vip_subnet_id": PUBLIC, "provider": "ports", "name": "conflict"}
    assert (await site.client.post(LBS, json={"loadbalancer": conflicting})).status_code == 409
    ((given, _),) = site.asked("loadbalancer_delete")  # the port goes with it
    assert given.vip_address == "198.51.100.7"
    assert given.vip_port_id.startswith("port-")

    made = await served(site, provider="ports")
    assert made["vip_address"] == "198.51.100.7"
    ((asked, vip, _),) = site.asked("create_vip_port")[1:]
    assert (asked, vip["vip_subnet_id"]) == (made["id"], PUBLIC)


async def test_children_are_handed_over_as_the_interface_says(site: Site) -> None:
    lb_id = (await served(site))["id"]
    body = {"loadbalancer_id": lb_id, "protocol": "HTTP", "protocol_port": 80, "timeout_client_data": 7000}
    listener = (await site.client.post("/v2/listeners", json={"listener": body})).json()["listener"]
    ((given,),) = site.asked("listener_create")
    assert (given.listener_id, given.timeout_client_data) == (listener["id"], 7000)
    assert await shown(site, f"/v2/listeners/{listener['id']}", "provisioning_status") == ("PENDING_CREATE",)

    refused = await site.client.put(f"/v2/listeners/{listener['id']}", json={"listener": {"name": "x"}})
    assert refused.status_code == 409  # this vendor's load balancers are locked while they are pending

    listener_active = {"id": listener["id"], "provisioning_status": "ACTIVE"}
    await active(site, lb_id, listeners=[listener_active])
    change = {"listener": {"name": "x", "timeout_client_data": 8000}}
    assert (await site.client.put(f"/v2/listeners/{listener['id']}", json=change)).status_code == 200
    ((old, new),) = site.asked("listener_update")
    assert (old.name, old.protocol_port) == ("", 80)
    assert (new.listener_id, new.name, new.timeout_client_data) == (listener["id"], "x", 8000)
    assert new.protocol_port is Unset

    await active(site, lb_id, listeners=[listener_active])
    assert (await site.client.delete(f"/v2/listeners/{listener['id']}")).status_code == 204
    await active(site, lb_id, listeners=[{"id": listener["id"], "provisioning_status": "DELETED"}])
    assert (await site.client.get(f"/v2/listeners/{listener['id']}")).status_code == 404


async def test_a_batch_hands_over_the_whole_list_and_known_members_by_their_ids(site: Site) -> None:
    lb_id = (await served(site))["id"]
    body = {"loadbalancer_id": lb_id, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    pool = (await site.client.post("/v2/pools", json={"pool": body})).json()["pool"]
    await active(site, lb_id)
    one = {"address": "10.1.0.10", "protocol_port": 80}
    members = f"/v2/pools/{pool['id']}/members"
    member = (await site.client.post(members, json={"member": one})).json()["member"]
    await active(site, lb_id)
    two = {"address": "10.1.0.11", "protocol_port": 80, "weight": 5}
    response = await site.client.put(members, params={"additive_only": "true"}, json={"members": [two]})
    assert response.status_code == 202
    ((pool_id, wanted),) = site.asked("member_batch_update")
    assert pool_id == pool["id"]
    assert {each.address: each.weight for each in wanted} == {"10.1.0.10": 1, "10.1.0.11": 5}
    assert member["id"] in {each.member_id for each in wanted}


async def test_what_our_own_amphorae_cannot_do_is_the_drivers_to_judge(site: Site) -> None:
    lb_id = (await served(site, listeners=[{"protocol": "TCP", "protocol_port": 80}]))["id"]
    ((tcp,),) = await shown(site, f"{LBS}/{lb_id}", "listeners")
    for path, key, fields in (
        ("listeners", "listener", {"loadbalancer_id": lb_id, "protocol": "SCTP", "protocol_port": 3868}),
        ("pools", "pool", {"loadbalancer_id": lb_id, "protocol": "SCTP", "lb_algorithm": "ROUND_ROBIN"}),
        ("l7policies", "l7policy", {"listener_id": tcp["id"], "action": "REJECT"}),
    ):
        response = await site.client.post(f"/v2/{path}", json={key: fields})
        assert response.status_code == 201, response.text
        await active(site, lb_id)
    assert [given.protocol for (given,) in site.asked("listener_create")] == ["SCTP"]
    assert [given.protocol for (given,) in site.asked("pool_create")] == ["SCTP"]
    assert [given.listener_id for (given,) in site.asked("l7policy_create")] == [tcp["id"]]


async def test_a_driver_is_asked_for_sriov_ports_where_its_flavor_allows_them(site: Site) -> None:
    data = '{"speed": "high", "allow_member_sriov": true, "sriov_vip": true}'
    profile = {"name": "p", "provider_name": "acme", "flavor_data": data}
    profile = (await site.client.post("/v2/flavorprofiles", json={"flavorprofile": profile})).json()["flavorprofile"]
    flavor = {"name": "virtual", "flavor_profile_id": profile["id"]}
    flavor = (await site.client.post("/v2/flavors", json={"flavor": flavor})).json()["flavor"]
    pool = {"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}
    made = await served(site, flavor_id=flavor["id"], pools=[pool])
    assert made["vip_vnic_type"] == "direct"
    member = {"address": "10.1.0.10", "protocol_port": 80, "request_sriov": True}
    path = f"/v2/pools/{made['pools'][0]['id']}/members"
    response = await site.client.post(path, json={"member": member})
    assert response.status_code == 201, response.text
    assert response.json()["member"]["vnic_type"] == "direct"
    assert [given.vnic_type for (given,) in site.asked("member_create")] == ["direct"]


async def test_a_whole_tree_is_handed_over_at_once_and_served_back_to_the_driver(site: Site) -> None:
    pool = {
        "name": "p",
        "protocol": "HTTP",
        "lb_algorithm": "ROUND_ROBIN",
        "members": [{"address": "10.1.0.10", "protocol_port": 80}],
        "healthmonitor": {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2},
    }
    listener = {"protocol": "HTTP", "protocol_port": 80, "default_pool": pool}
    made = await create(site, listeners=[listener])
    ((given,),) = site.asked("loadbalancer_create")
    (given_listener,) = given.listeners
    assert given_listener.default_pool.members[0].address == "10.1.0.10"
    assert given_listener.default_pool.healthmonitor.delay == 5
    found = await site.driver(lambda library: library.get_loadbalancer(made["id"]))
    assert found.listeners[0]["default_pool"]["members"][0]["address"] == "10.1.0.10"
    member_id = given_listener.default_pool.members[0].member_id
    assert (await site.driver(lambda library: library.get_member(member_id))).protocol_port == 80
    assert await site.driver(lambda library: library.get_pool(an_id("no such pool"))) is None


async def test_a_flavor_is_shown_to_its_provider_and_chooses_it(site: Site) -> None:
    def profile(data: str) -> dict[str, Any]:
        return {"flavorprofile": {"name": "p", "provider_name": "acme", "flavor_data": data}}

    refused = await site.client.post("/v2/flavorprofiles", json=profile('{"colour": "red"}'))
    assert refused.status_code == 501
    assert "speed is all we know" in refused.json()["faultstring"]
    made = (
        await site.client.post("/v2/flavorprofiles", json=profile('{"speed": "high", "sites": ["a", "b"]}'))
    ).json()["flavorprofile"]
    body = {"flavor": {"name": "fast", "flavor_profile_id": made["id"]}}
    flavor = (await site.client.post("/v2/flavors", json=body)).json()["flavor"]
    created = await create(site, provider=None, flavor_id=flavor["id"])
    assert created["provider"] == "acme"
    ((given,),) = site.asked("loadbalancer_create")
    data = {"speed": "high", "sites": ["a", "b"]}
    assert given.flavor == data
    assert site.asked("validate_flavor")[-1] == (data,)


async def test_a_failover_is_the_drivers(site: Site) -> None:
    lb_id = (await served(site))["id"]
    assert (await site.client.put(f"{LBS}/{lb_id}/failover")).status_code == 202
    assert site.asked("loadbalancer_failover") == [(lb_id,)]
    assert await shown(site, f"{LBS}/{lb_id}", "provisioning_status") == ("PENDING_UPDATE",)


async def test_the_read_model_is_rebuilt_equal(site: Site) -> None:
    lb_id = (await served(site, listeners=[{"protocol": "TCP", "protocol_port": 80}]))["id"]
    before = (await site.client.get(f"{LBS}/{lb_id}/status")).json()
    await site.world.restart_api()

    async def same() -> bool:
        return (await site.client.get(f"{LBS}/{lb_id}/status")).json() == before

    await site.until(same)
