"""PyPI's `openstack loadbalancer` commands about quotas, flavors, zones and providers, against the real API and planner."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from actium_shared.testing.nats_server import NatsServer
from integration.api.world import running
from integration.stock_client import StockClient

LB = "loadbalancer"


@pytest_asyncio.fixture
async def client(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[StockClient]:
    async with running(nats_server, tmp_path) as world:
        yield StockClient(f"http://127.0.0.1:{world.api_settings.listen_port}")


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
