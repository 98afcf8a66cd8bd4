"""PyPI's `openstack loadbalancer` commands of administrators, against the real API and planner."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest_asyncio

from builders import PUBLIC
from integration.api.world import World
from integration.stock_client import StockClient

LB = "loadbalancer"


@pytest_asyncio.fixture
async def client(world: World) -> StockClient:
    return StockClient(f"http://127.0.0.1:{world.api_settings.listen_port}")


async def test_quotas_are_set_shown_listed_and_reset(client: StockClient) -> None:
    assert (await client.json(LB, "quota", "defaults", "show"))["load_balancer"] == -1
    await client.succeeds(LB, "quota", "set", "--loadbalancer", "5", "--healthmonitor", "3", "--l7rule", "2", "admin")
    shown = await client.json(LB, "quota", "show", "admin")
    assert (shown["load_balancer"], shown["health_monitor"], shown["l7rule"], shown["pool"]) == (5, 3, 2, -1)
    (listed,) = await client.json(LB, "quota", "list")
    assert listed["load_balancer"] == 5
    await client.succeeds(LB, "quota", "unset", "--loadbalancer", "admin")
    assert (await client.json(LB, "quota", "show", "admin"))["load_balancer"] == -1
    await client.succeeds(LB, "quota", "reset", "admin")
    assert (await client.json(LB, "quota", "show", "admin"))["l7rule"] == -1


async def test_flavors_and_profiles_are_made_found_by_name_changed_and_deleted(client: StockClient) -> None:
    data = '{"loadbalancer_topology": "SINGLE", "amp_image_tag": "v2"}'
    words = ("--name", "small", "--provider", "amphora", "--flavor-data", data)
    profile = await client.json(LB, "flavorprofile", "create", *words)
    assert (profile["provider_name"], profile["flavor_data"]) == ("amphora", data)
    made = await client.json(LB, "flavor", "create", "--name", "cheap", "--flavorprofile", "small", "--enable")
    assert made["flavor_profile_id"] == profile["id"]
    await client.succeeds(LB, "flavor", "set", "--disable", "--description", "not now", "cheap")
    shown = await client.json(LB, "flavor", "show", "cheap")
    assert (shown["enabled"], shown["description"]) == (False, "not now")
    await client.succeeds(LB, "flavor", "unset", "--description", "cheap")
    assert "in use" in await client.fails(LB, "flavorprofile", "delete", "small")
    (listed,) = await client.json(LB, "flavor", "list", "--disable")
    assert (listed["name"], (await client.json(LB, "flavor", "show", "cheap"))["description"]) == ("cheap", "")
    await client.succeeds(LB, "flavor", "delete", "cheap")
    await client.succeeds(LB, "flavorprofile", "set", "--name", "tiny", "small")
    await client.succeeds(LB, "flavorprofile", "delete", "tiny")
    assert await client.json(LB, "flavorprofile", "list") == []


async def test_zones_and_profiles_are_made_found_by_name_changed_and_deleted(client: StockClient) -> None:
    words = ("--name", "rack", "--provider", "octavia", "--availability-zone-data", '{"compute_zone": "nova"}')
    await client.succeeds(LB, "availabilityzoneprofile", "create", *words)
    made = await client.json(LB, "availabilityzone", "create", "--name", "az1", "--availabilityzoneprofile", "rack")
    assert (made["name"], made["enabled"]) == ("az1", True)
    await client.succeeds(LB, "availabilityzone", "set", "--disable", "az1")
    shown = await client.json(LB, "availabilityzone", "show", "az1")
    assert shown["enabled"] is False
    (listed,) = await client.json(LB, "availabilityzone", "list")
    assert listed["name"] == "az1"
    wrong = await client.fails(
        LB, "availabilityzoneprofile", "set", "--availability-zone-data", '{"compute_zone": "other"}', "rack"
    )
    assert "in use" in wrong
    await client.succeeds(LB, "availabilityzone", "delete", "az1")
    await client.succeeds(LB, "availabilityzoneprofile", "delete", "rack")


async def test_providers_and_their_capabilities_are_listed(client: StockClient) -> None:
    names = [each["name"] for each in await client.json(LB, "provider", "list")]
    assert names == ["actium", "amphora", "octavia"]
    found = await client.json(LB, "provider", "capability", "list", "amphora")
    kinds = {(each["type"], each["name"]) for each in found}
    assert {("flavor", "loadbalancer_topology"), ("availability_zone", "compute_zone")} <= kinds
    assert {("flavor", "spare_pool_size"), ("flavor", "front_end")} <= kinds


async def made(world: World, name: str, **more: Any) -> str:
    """Make a load balancer quicker than the stock client does; give its id when it is ACTIVE."""
    body = {"loadbalancer": {"name": name, "vip_subnet_id": PUBLIC, **more}}
    answer = await world.client.post("/v2/lbaas/loadbalancers", json=body)
    assert answer.status_code == 201, answer.text
    lb_id = answer.json()["loadbalancer"]["id"]
    await world.wait_for(f"/v2/lbaas/loadbalancers/{lb_id}", "ACTIVE")
    return str(lb_id)


async def amphorae(world: World, lb_id: str, until: Callable[[list[Any]], bool]) -> list[Any]:
    """Give a load balancer's amphorae once they are as they should be."""
    async with asyncio.timeout(20):
        while True:
            found: list[Any] = (await world.client.get(f"/v2/octavia/amphorae?loadbalancer_id={lb_id}")).json()[
                "amphorae"
            ]
            if until(found):
                return found
            await asyncio.sleep(0.05)


def serving(count: int, *, but: str = "") -> Callable[[list[Any]], bool]:
    return lambda found: (
        [each["status"] for each in found] == ["ALLOCATED"] * count and but not in {each["id"] for each in found}
    )


async def test_amphorae_are_listed_shown_configured_and_failed_over(client: StockClient, world: World) -> None:
    lb_id = await made(world, "single")
    (listed,) = await client.json(LB, "amphora", "list", "--loadbalancer", lb_id)
    assert (listed["loadbalancer_id"], listed["status"], listed["role"]) == (lb_id, "ALLOCATED", "STANDALONE")
    first = listed["id"]
    shown = await client.json(LB, "amphora", "show", first)
    assert (shown["lb_network_ip"], shown["image_id"]) == ("10.250.1.1", "default")
    await client.succeeds(LB, "amphora", "configure", first)
    await client.succeeds(LB, "amphora", "failover", first)
    (second,) = await amphorae(world, lb_id, serving(1, but=first))
    assert "not found" in await client.fails(LB, "amphora", "stats", "show", second["id"])  # no listener yet
    await client.succeeds(LB, "amphora", "delete", second["id"])
    await amphorae(world, lb_id, serving(1, but=second["id"]))
    await world.wait_for(f"/v2/lbaas/loadbalancers/{lb_id}", "ACTIVE")


async def test_a_load_balancer_is_failed_over(client: StockClient, world: World) -> None:
    lb_id = await made(world, "to fail over")
    (before,) = await amphorae(world, lb_id, serving(1))
    await client.succeeds(LB, "failover", "--wait", lb_id)
    (after,) = await amphorae(world, lb_id, serving(1))
    assert after["id"] != before["id"]


async def test_a_pair_shows_its_roles_and_spares_wait_for_work(client: StockClient, world: World) -> None:
    data = '{"loadbalancer_topology": "ACTIVE_STANDBY", "spare_pool_size": 1}'
    words = ("--name", "pairs", "--provider", "actium", "--flavor-data", data)
    await client.succeeds(LB, "flavorprofile", "create", *words)
    flavor = await client.json(LB, "flavor", "create", "--name", "pair", "--flavorprofile", "pairs", "--enable")
    lb_id = await made(world, "pair", flavor_id=flavor["id"])
    pair = await amphorae(world, lb_id, serving(2))
    assert {(each["role"], each["vrrp_priority"]) for each in pair} == {("MASTER", 254), ("BACKUP", 253)}
    async with asyncio.timeout(20):
        while not (spares := await client.json(LB, "amphora", "list", "--status", "READY")):
            pass
    assert [(each["role"], each["loadbalancer_id"]) for each in spares] == [(None, None)]
